/** Looking an anchor up, with a chain that answers from a table (formats.md section 11.4). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lookUp, withAnchor } from '../src/verify/anchor.js';
import { encodeCanonical } from '../src/verify/canonical.js';
import { verify } from '../src/verify/verify.js';
import { CONTRACT, makeBundle } from './make_bundle.mjs';

/** Worked out by another implementation of keccak: of the commitment's event, and of the veto's. */
const EVENTS = [
  '0xaffb38511fca375f5f31bd8a6fd49990ec79512df93ce4eb21b269373ad65077',
  '0x6aefe0d475811dcbd3029581632b4b4b029a090d86c0002f85140bdfdc0ec787',
];
const RPC = 'https://rpc.example/v1';
const word = (value) => value.toString(16).padStart(64, '0');
const quantity = (value) => `0x${value.toString(16)}`;
const anchor = { chain: 1, contract: CONTRACT, epoch: 3, size: 5, root: 'ab'.repeat(32), named: true };
const POLICY = { anchors: [{ chain: 1, contract: CONTRACT }] };

const entry = (topics, data, block = 100) => ({
  address: CONTRACT.toLowerCase(), topics, data: `0x${data}`, blockNumber: quantity(block), removed: false,
});
const commitment = (topics, { root = anchor.root, size = anchor.size, block } = {}) => (
  entry(topics, word(1) + word(2) + root + word(size) + word(3), block)
);

/** A chain; `changes` are other answers by method, or by what the entries are asked for. */
function chain(changes = {}) {
  const asked = [];
  const answers = {
    eth_chainId: () => '0x1',
    committed: (topics) => [commitment(topics)],
    vetoed: () => [],
    finalized: () => ({ number: quantity(120) }),
    latest: () => ({ number: quantity(130) }),
    ...changes,
  };
  const events = [];
  const answer = (method, [first]) => {
    if (method === 'eth_getBlockByNumber') return answers[first]();
    if (method !== 'eth_getLogs') return answers[method]();
    events.push(first.topics[0]);
    return answers[events.length === 1 ? 'committed' : 'vetoed'](first.topics);
  };
  const fetch = async (address, { method, body }) => {
    const { jsonrpc, id, method: name, params } = JSON.parse(body);
    assert.deepEqual([address, method, jsonrpc], [RPC, 'POST', '2.0']);
    asked.push([name, ...params]);
    const result = answer(name, params);
    return { json: async () => (result?.error ? { jsonrpc, id, error: result.error } : { jsonrpc, id, result }) };
  };
  return { fetch, asked, events };
}
const ask = (changes, more = {}) => lookUp({ anchor, rpc: RPC, policy: POLICY, fetch: chain(changes).fetch, ...more });

test('what the contract that the policy names has committed to is confirmed', async () => {
  const { fetch, asked, events } = chain();
  const found = await lookUp({ anchor, rpc: RPC, policy: POLICY, fetch });

  assert.deepEqual(found, { state: 'confirmed', reason: null, block: 100, chain: 1 });
  assert.deepEqual(asked.map(([method]) => method), ['eth_chainId', 'eth_getLogs', 'eth_getLogs', 'eth_getBlockByNumber']);
  assert.deepEqual(asked[1][1], { address: CONTRACT, topics: [events[0], `0x${word(3)}`], fromBlock: '0x0', toBlock: 'latest' });
  assert.deepEqual(events, EVENTS);
});

test('a contract that no policy names is a contract', async () => {
  assert.equal((await ask({}, { policy: null })).state, 'some-contract');
  assert.equal((await ask({}, { policy: { anchors: [{ chain: 2, contract: CONTRACT }] } })).state, 'some-contract');
});

const NO_BLOCK = { error: { code: -39001, message: 'unknown block' } };
test('where a chain has no final block, twelve below the newest count', async () => {
  for (const finalized of [() => null, () => NO_BLOCK]) {
    assert.equal((await ask({ finalized, latest: () => ({ number: quantity(112) }) })).state, 'confirmed');
    assert.equal((await ask({ finalized, latest: () => ({ number: quantity(111) }) })).state, 'denied');
  }
});

for (const [name, changes, reason] of [
  ['another chain', { eth_chainId: () => '0x2' }, /another chain/],
  ['no commitment', { committed: () => [] }, /nothing in this epoch/],
  ['a commitment that the chain took back', { committed: (topics) => [{ ...commitment(topics), removed: true }] }, /nothing in this epoch/],
  ['two commitments', { committed: (topics) => [commitment(topics), commitment(topics)] }, /more than once/],
  ['another root', { committed: (topics) => [commitment(topics, { root: 'cd'.repeat(32) })] }, /another root/],
  ['another size', { committed: (topics) => [commitment(topics, { size: 6 })] }, /another size/],
  ['an entry of another form', { committed: (topics) => [entry(topics, word(1))] }, /not of the form/],
  ['a veto', { vetoed: (topics) => [entry(topics, '')] }, /vetoed/],
  ['a block that is not final', { finalized: () => ({ number: quantity(99) }) }, /take back/],
]) {
  test(`${name} denies the anchor`, async () => {
    const found = await ask(changes);

    assert.equal(found.state, 'denied');
    assert.match(found.reason, reason);
  });
}

const refusal = { error: { code: -32005, message: 'too many blocks' } };
for (const [name, changes, more, reason] of [
  ['an RPC that refuses', { committed: () => refusal }, {}, /refuses eth_getLogs: too many blocks/],
  ['a chain id that is none', { eth_chainId: () => 1 }, {}, /something else than a number/],
  ['a list that is none', { committed: () => 'none' }, {}, /list of entries/],
  ['entries of another contract', { committed: (topics) => [{ ...commitment(topics), address: RPC }] }, {}, /not asked for/],
  ['entries of another epoch', { committed: ([event]) => [commitment([event, `0x${word(4)}`])] }, {}, /not asked for/],
  ['data that is none', { committed: (topics) => [{ ...commitment(topics), data: '0x12' }] }, {}, /not asked for/],
  ['no newest block', { finalized: () => null, latest: () => null }, {}, /something else than a number/],
  ['no answer', {}, { fetch: async () => { throw new TypeError('Failed to fetch'); } }, /does not answer/],
  ['an answer that is no JSON', {}, { fetch: async () => ({ json: async () => JSON.parse('<') }) }, /not in JSON/],
  ['an answer to another question', {}, { fetch: async () => ({ json: async () => ({ id: 9, result: '0x1' }) }) }, /is none/],
  ['an empty answer', {}, { fetch: async () => ({ json: async () => null }) }, /is none/],
  ['an address that is none', {}, { rpc: 'javascript:0' }, /does not begin with http/],
]) {
  test(`with ${name} nothing is known`, async () => {
    const found = await ask(changes, more);

    assert.equal(found.state, 'unknown');
    assert.match(found.reason, reason);
  });
}

test('a confirmed anchor adds a level and takes a claim away; nothing else does', async () => {
  const made = makeBundle({ anchor: () => {} });
  const evidence = { bundle: encodeCanonical(made.bundle), policy: { ...made.policy, ...POLICY } };
  const result = await verify(evidence);
  const found = await ask();

  assert.deepEqual(withAnchor(result, found).levels, ['L0', 'L1-unwitnessed', 'L2']);
  assert.ok(result.unproved.includes(5) && !withAnchor(result, found).unproved.includes(5));
  for (const state of ['some-contract', 'denied', 'unknown']) assert.equal(withAnchor(result, { ...found, state }), result);
  const unnamed = await verify({ ...evidence, policy: null });
  assert.equal(withAnchor(unnamed, found), unnamed);
});
