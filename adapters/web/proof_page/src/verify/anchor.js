/** Looking an anchor up on a chain, through an RPC that the viewer chose (formats.md section 11.4). */
import { keccak_256 as keccak } from '@noble/hashes/sha3.js';
import { toHex, utf8 } from './bytes.js';
import { isWord, jsonRpc, quantity, Unanswered } from './json_rpc.js';

const COMMITTED = `0x${toHex(keccak(utf8('EpochCommitted(uint64,bytes32,uint128,bytes32,uint64,bytes32)')))}`;
const VETOED = `0x${toHex(keccak(utf8('EpochVetoed(uint64)')))}`;
/** Words of an entry's data: fee root, fee total, log root, log size, hash of the publication. */
const WORDS = 5;
/** How far below the newest block one counts as final, where the chain names none. */
const DEPTH = 12;

/** The chain says something else than the bundle. */
class Denied extends Error {}

/** @param {boolean} holds @param {string} reason one sentence without capital and full stop */
function must(holds, reason) {
  if (!holds) throw new Denied(reason);
}

/** @type {import('./result.d.ts').LookUp} */
export async function lookUp({ anchor, rpc, policy = null, fetch }) {
  const seen = { chain: anchor.chain, block: null };
  try {
    await compare(anchor, jsonRpc(rpc, fetch), seen);
  } catch (error) {
    if (error instanceof Denied) return { ...seen, state: 'denied', reason: error.message };
    if (error instanceof Unanswered) return { ...seen, state: 'unknown', reason: error.message };
    throw error;
  }
  const { chain, contract } = anchor;
  const named = policy?.anchors.some((entry) => entry.chain === chain && entry.contract === contract) ?? false;
  if (named) return { ...seen, state: 'confirmed', reason: null };
  return { ...seen, state: 'some-contract', reason: 'a contract says so, and it is none that your trust policy names' };
}

async function compare({ chain, contract, epoch, root, size }, call, seen) {
  must(quantity(await call('eth_chainId', [])) === BigInt(chain), 'this RPC serves another chain than the one that the bundle names');
  const entriesOf = (event) => entries(call, contract, [event, word(epoch)]);
  const committed = await entriesOf(COMMITTED);
  must(committed.length > 0, 'the contract has committed to nothing in this epoch');
  must(committed.length === 1, 'the contract has committed more than once in this epoch');
  const [{ block, values }] = committed;
  seen.block = Number(block);
  must(values.length === WORDS, 'the contract’s entry is not of the form of a commitment');
  must(values[2] === root, 'the contract has committed to another root of the log');
  must(BigInt(`0x${values[3]}`) === BigInt(size), 'the contract has committed to another size of the log');
  must((await entriesOf(VETOED)).length === 0, 'this epoch was vetoed on the chain');
  must(block <= await finalBlock(call), 'the commitment stands in a block that the chain can still take back');
}

/** @param {number} value @returns {string} 32 bytes, as a topic */
const word = (value) => `0x${value.toString(16).padStart(64, '0')}`;

/**
 * Ask for a contract's entries, and hold the RPC to what it was asked for.
 * @returns {Promise<{block: bigint, values: string[]}[]>} values: words in hexadecimal
 */
async function entries(call, contract, topics) {
  const found = await call('eth_getLogs', [{ address: contract, topics, fromBlock: '0x0', toBlock: 'latest' }]);
  if (!Array.isArray(found)) throw new Unanswered('the RPC’s list of entries is none');
  return found.filter((entry) => entry?.removed !== true).map((entry) => readEntry(entry, contract, topics));
}

function readEntry(entry, contract, topics) {
  const isAsked = typeof entry?.address === 'string' && entry.address.toLowerCase() === contract.toLowerCase()
    && Array.isArray(entry.topics) && entry.topics.length === topics.length
    && entry.topics.every((topic, i) => typeof topic === 'string' && topic.toLowerCase() === topics[i]);
  if (!isAsked || !isWord(entry.data)) throw new Unanswered('the RPC gave entries that it was not asked for');
  return { block: quantity(entry.blockNumber), values: entry.data.slice(2).toLowerCase().match(/.{64}/g) ?? [] };
}

/** @returns {Promise<bigint>} height of the last block that stays */
async function finalBlock(call) {
  const finalized = await call('eth_getBlockByNumber', ['finalized', false], null);
  if (finalized !== null) return quantity(finalized.number);
  const newest = await call('eth_getBlockByNumber', ['latest', false]);
  return quantity(newest?.number) - BigInt(DEPTH);
}

/** @type {import('./result.d.ts').WithAnchor} */
export function withAnchor(result, { state }) {
  if (state !== 'confirmed' || result.proved?.anchor?.named !== true || result.levels.includes('L2')) return result;
  return { ...result, levels: [...result.levels, 'L2'], unproved: result.unproved.filter((n) => n !== 5) };
}
