/** Checkpoints: C2SP signed notes with one Ed25519 signature (formats.md section 8). */
import { concat, equal, fromBase64, toHex, utf8 } from './bytes.js';
import { ed25519Verifies, isPrimeOrderPoint } from './ciphers.js';
import { Malformed } from './failure.js';
import { sha256 } from './hashing.js';

/** A key name, which a log's origin is too: printable ASCII without space and plus. */
const NAME = '[!-*,-~]{1,128}';
const NOTE = new RegExp(`^((${NAME})\\n(0|[1-9][0-9]{0,15})\\n([^\\n]+)\\n)\\n— (${NAME}) ([^\\n ]+)\\n$`);
const VERIFIER_KEY = new RegExp(`^(${NAME})\\+([0-9a-f]{8})\\+(.+)$`);

/**
 * @typedef {object} Checkpoint
 * @property {string} body the signed text
 * @property {string} origin
 * @property {number} size
 * @property {Uint8Array} root
 * @property {string} signer
 * @property {Uint8Array} keyHash
 * @property {Uint8Array} signature
 */

/** @param {string} note @returns {Checkpoint} */
export function parseCheckpoint(note) {
  const match = NOTE.exec(note);
  if (!match) throw new Malformed('the checkpoint is not a note with origin, size, root and one signature');
  const [, body, origin, size, root, signer, blob] = match;
  const signature = fromBase64(blob);
  const parsed = {
    body, origin, size: Number(size), root: fromBase64(root), signer, keyHash: signature.subarray(0, 4), signature: signature.subarray(4),
  };
  if (parsed.root.length !== 32 || signature.length !== 68 || !Number.isSafeInteger(parsed.size)) {
    throw new Malformed('the checkpoint has a root, size or signature of the wrong length');
  }
  return parsed;
}

/**
 * @param {string} vkey `name+hash+key`
 * @returns {{name: string, keyHash: Uint8Array, key: Uint8Array}}
 */
export function parseVerifierKey(vkey) {
  const match = VERIFIER_KEY.exec(vkey);
  const typed = match ? fromBase64(match[3]) : new Uint8Array(0);
  if (!match || typed.length !== 33 || typed[0] !== 1) throw new Malformed('the log key is not an Ed25519 verifier key');
  const [, name, hash] = match;
  const keyHash = sha256(concat(utf8(`${name}\n`), typed)).subarray(0, 4);
  if (toHex(keyHash) !== hash) throw new Malformed('the log key does not carry its own hash');
  if (!isPrimeOrderPoint(typed.subarray(1))) throw new Malformed('the log key is not a point of prime order');
  return { name, keyHash, key: typed.subarray(1) };
}

/**
 * @param {Checkpoint} checkpoint
 * @param {string} vkey
 * @returns {Promise<boolean>}
 */
export async function isCheckpointSignedBy(checkpoint, vkey) {
  const { name, keyHash, key } = parseVerifierKey(vkey);
  return checkpoint.signer === name
    && equal(checkpoint.keyHash, keyHash)
    && ed25519Verifies(key, utf8(checkpoint.body), checkpoint.signature);
}
