/** Checkpoints: C2SP signed notes, by the log and by witnesses (formats.md 8, log.md 3). */
import { concat, equal, fromBase64, toHex, utf8 } from './bytes.js';
import { ed25519Verifies, isPrimeOrderPoint } from './ciphers.js';
import { Malformed } from './failure.js';
import { sha256 } from './hashing.js';

/** A key name, which a log's origin is too: printable ASCII without space and plus. */
const NAME = '[!-*,-~]{1,128}';
const IS_NAME = new RegExp(`^${NAME}$`);
const NOTE = new RegExp(`^((${NAME})\\n(0|[1-9][0-9]{0,15})\\n([^\\n]+)\\n)\\n((?:— ${NAME} [^\\n ]+\\n)+)$`);
const VERIFIER_KEY = new RegExp(`^(${NAME})\\+([0-9a-f]{8})\\+(.+)$`);
const MAX_LINES = 16;
const LOG_KEY = 1;
const WITNESS_KEY = 4;

/** @typedef {{name: string, keyHash: Uint8Array, signature: Uint8Array}} SignatureLine */
/** @typedef {{vkey: string, name: string, keyHash: Uint8Array, key: Uint8Array}} VerifierKey */

/**
 * @typedef {object} Checkpoint
 * @property {string} note all of it, with the signature lines
 * @property {string} body the signed text
 * @property {string} origin
 * @property {number} size
 * @property {Uint8Array} root
 * @property {SignatureLine[]} lines
 */

/** @param {string} value @returns {boolean} */
export const isKeyName = (value) => IS_NAME.test(value);

/** @param {string} note @returns {Checkpoint} */
export function parseCheckpoint(note) {
  const match = NOTE.exec(note);
  if (!match) throw new Malformed('the checkpoint is not a note with origin, size, root and signatures');
  const [, body, origin, digits, root64, signatures] = match;
  const lines = signatures.slice(0, -1).split('\n').map(signatureLine);
  const [size, root] = [Number(digits), fromBase64(root64)];
  if (lines.length > MAX_LINES) throw new Malformed('the checkpoint has more than sixteen signatures');
  if (root.length !== 32 || !Number.isSafeInteger(size)) throw new Malformed('the checkpoint has a root or size of the wrong length');
  return { note, body, origin, size, root, lines };
}

/** @param {string} line @returns {SignatureLine} */
function signatureLine(line) {
  const [, name, blob] = line.split(' ');
  const bytes = fromBase64(blob);
  if (bytes.length < 5) throw new Malformed('a signature of the checkpoint is too short');
  return { name, keyHash: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

/** @param {string} vkey `name+hash+key` @returns {VerifierKey} key of a log */
export const parseVerifierKey = (vkey) => parseKey(vkey, LOG_KEY, 'log key');

/** @param {string} vkey @returns {VerifierKey} key of a witness */
export const parseWitnessKey = (vkey) => parseKey(vkey, WITNESS_KEY, 'witness key');

/** @param {string} vkey @param {number} kind @param {string} what @returns {VerifierKey} */
function parseKey(vkey, kind, what) {
  const match = VERIFIER_KEY.exec(vkey);
  const typed = match ? fromBase64(match[3]) : new Uint8Array(0);
  if (!match || typed.length !== 33 || typed[0] !== kind) throw new Malformed(`the ${what} is not an Ed25519 verifier key`);
  const [, name, hash] = match;
  const keyHash = sha256(concat(utf8(`${name}\n`), typed)).subarray(0, 4);
  if (toHex(keyHash) !== hash) throw new Malformed(`the ${what} does not carry its own hash`);
  const key = typed.subarray(1);
  if (!isPrimeOrderPoint(key)) throw new Malformed(`the ${what} is not a point of prime order`);
  return { vkey, name, keyHash, key };
}

/**
 * Find the one signature line of a key.
 * @param {Checkpoint} checkpoint
 * @param {VerifierKey} verifier
 * @returns {SignatureLine|null}
 */
function lineOf({ lines }, { name, keyHash }) {
  const own = lines.filter((line) => line.name === name && equal(line.keyHash, keyHash));
  if (own.length > 1) throw new Malformed(`the checkpoint has two signatures of ${name}`);
  return own[0] ?? null;
}

/**
 * @param {Checkpoint} checkpoint
 * @param {VerifierKey} log
 * @returns {Promise<boolean>}
 */
export async function isCheckpointSignedBy(checkpoint, log) {
  const line = lineOf(checkpoint, log);
  return line !== null && checkpoint.origin === log.name
    && ed25519Verifies(log.key, utf8(checkpoint.body), line.signature);
}

/**
 * When a witness cosigned, in POSIX seconds; a false cosignature is an error.
 * @param {Checkpoint} checkpoint
 * @param {VerifierKey} witness
 * @returns {Promise<number|null>} null where it has not
 */
export async function cosignedAt(checkpoint, witness) {
  const line = lineOf(checkpoint, witness);
  if (line === null) return null;
  const { signature } = line;
  const time = signature.length === 72 ? new DataView(signature.buffer, signature.byteOffset).getBigUint64(0) : -1n;
  const message = utf8(`cosignature/v1\ntime ${time}\n${checkpoint.body}`);
  const holds = time >= 0n && time < 2n ** 63n && await ed25519Verifies(witness.key, message, signature.subarray(8));
  if (!holds) throw new Malformed(`the cosignature of ${witness.name} is false`);
  return Number(time);
}
