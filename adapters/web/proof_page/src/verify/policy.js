/** Trust policies (formats.md section 11.3): what a viewer was told by another way than the link. */
import { checksumAddress } from './address.js';
import { fromHex, toHex } from './bytes.js';
import { isKeyName, parseVerifierKey, parseWitnessKey } from './checkpoint.js';
import { isPrimeOrderPoint } from './ciphers.js';
import { Malformed } from './failure.js';
import {
  address, integer, isHex, list, object, oneOf, record, text,
} from './shape.js';

const MOST = 256;
const few = (check) => (value) => list(check)(value) && value.length <= MOST;
const isKey = isHex(32);
const POLICY = {
  v: oneOf('twinproof-policy/1'),
  creators: few(address),
  logs: few((value) => text(value) && parseVerifierKey(value) !== null),
  witnesses: few((value) => text(value) && parseWitnessKey(value) !== null),
  needed: integer(0, MOST),
  auditors: few((value) => isKey(value) && isPrimeOrderPoint(fromHex(value))),
  anchors: few(object({ chain: integer(1), contract: address }, 'anchor of the policy')),
  revoked: few(object({
    manifest: isHex(32), log: (value) => text(value) && isKeyName(value), size: integer(0),
  }, 'revocation of the policy')),
};

/**
 * Read a policy.
 * @param {any} value parsed JSON
 * @returns {import('./result.d.ts').Policy}
 */
export function readPolicy(value) {
  record(value, POLICY, 'policy');
  const witnesses = value.witnesses.map(parseWitnessKey);
  for (const same of [witnesses.map(({ name }) => name), witnesses.map(({ key }) => toHex(key))]) {
    if (new Set(same).size !== witnesses.length) throw new Malformed('the policy names a witness twice');
  }
  if (value.needed > witnesses.length) throw new Malformed('the policy asks for more witnesses than it names');
  return value;
}

/**
 * Read what a person pastes: a policy's JSON, or any text that holds creators' addresses and log
 * keys. Keys of witnesses in such a text are needed, all of them; an address without capitals, as
 * some wallets show it, gets those of EIP-55.
 * @param {string} pasted
 * @returns {import('./result.d.ts').Policy}
 */
export function parsePolicy(pasted) {
  const value = parsedObject(pasted);
  if (value?.v !== undefined) return readPolicy(value);
  const creators = [...new Set((pasted.match(/\b0x[0-9a-fA-F]{40}\b/g) ?? []).map(withCapitals))];
  const keys = [...new Set(pasted.match(/[^\s"',+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*/g) ?? [])];
  const witnesses = keys.filter(isWitnessKey);
  const logs = keys.filter((key) => !witnesses.includes(key));
  if (creators.length === 0) throw new Malformed('there is no creator’s address (0x and 40 digits)');
  if (logs.length === 0) throw new Malformed('there is no log key (origin+hash+key)');
  return readPolicy({
    v: 'twinproof-policy/1', creators, logs, witnesses, needed: witnesses.length, auditors: [], anchors: [], revoked: [],
  });
}

/** @param {string} typed @returns {string} */
const withCapitals = (typed) => (typed === typed.toLowerCase() ? checksumAddress(typed) : typed);

/** @param {string} pasted @returns {any} null where it is no JSON object */
function parsedObject(pasted) {
  try {
    return JSON.parse(pasted);
  } catch {
    return null;
  }
}

/** @param {string} vkey @returns {boolean} */
function isWitnessKey(vkey) {
  try {
    return parseWitnessKey(vkey) !== null;
  } catch (error) {
    if (error instanceof Malformed) return false;
    throw error;
  }
}
