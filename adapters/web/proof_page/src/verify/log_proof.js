/** Log proofs as C2SP writes them (tlog-proof, formats.md section 9.1). */
import { fromBase64 } from './bytes.js';
import { parseCheckpoint } from './checkpoint.js';
import { Malformed } from './failure.js';
import { isIncluded } from './merkle.js';
import { MAX_PATH } from './shape.js';

const PROOF = /^c2sp\.org\/tlog-proof@v1\nindex (0|[1-9][0-9]{0,15})\n((?:[A-Za-z0-9+/]{43}=\n)*)\n([^]*)$/;

/**
 * @typedef {object} LogProof
 * @property {number} index
 * @property {Uint8Array[]} path
 * @property {import('./checkpoint.js').Checkpoint} checkpoint
 */

/** @param {string} text @returns {LogProof} */
export function parseLogProof(text) {
  const match = PROOF.exec(text);
  if (!match) throw new Malformed('the proof of its place is not of the form of a log proof');
  const [, digits, hashes, note] = match;
  const index = Number(digits);
  const path = (hashes.match(/[^\n]+/g) ?? []).map(fromBase64);
  if (!Number.isSafeInteger(index) || path.length > MAX_PATH) throw new Malformed('the proof of its place is longer than any');
  return { index, path, checkpoint: parseCheckpoint(note) };
}

/** @param {Uint8Array} leaf @param {LogProof} proof @returns {boolean} */
export const isLogged = (leaf, { index, path, checkpoint: { size, root } }) => isIncluded(leaf, index, size, path, root);
