/** The bundle: everything that travels with one reply (formats.md section 9). */
import { parseCanonical } from './canonical.js';
import { fromBase64 } from './bytes.js';
import { parseEnvelope } from './dsse.js';
import {
  base64, integer, isBase64Of, list, nullOr, object, oneOf, record, text,
} from './shape.js';

const anything = () => true;
const signature = (value) => text(value) && /^0x[0-9a-f]{130}$/.test(value);
/** Hashes of the longest inclusion proof: a tree of 2^63 leaves. */
const MAX_PATH = 63;
const PLACE = { leaf: base64, index: integer(0), inclusion: (value) => list(isBase64Of(32))(value) && value.length <= MAX_PATH };
const BUNDLE = {
  v: oneOf('twinproof-bundle/1'),
  receipt: anything,
  manifest: object({ body: base64, signature }, 'manifest'),
  log: object({ ...PLACE, checkpoint: text }, 'log part'),
  outcome: nullOr(object({ statement: anything, ...PLACE }, 'outcome part')),
  sealed: base64,
};

/**
 * @typedef {object} Place
 * @property {Uint8Array} leaf
 * @property {number} index
 * @property {Uint8Array[]} inclusion
 */

/**
 * @typedef {object} Bundle
 * @property {import('./dsse.js').Envelope} receipt
 * @property {{body: Uint8Array, signature: string}} manifest
 * @property {Place & {checkpoint: string}} log
 * @property {(Place & {statement: import('./dsse.js').Envelope})|null} outcome
 * @property {Uint8Array} sealed
 */

/** @param {Uint8Array} bytes @returns {Bundle} */
export function parseBundle(bytes) {
  const value = parseCanonical(bytes);
  record(value, BUNDLE, 'bundle');
  return {
    receipt: parseEnvelope(value.receipt),
    manifest: { body: fromBase64(value.manifest.body), signature: value.manifest.signature },
    log: { ...place(value.log), checkpoint: value.log.checkpoint },
    outcome: value.outcome && {
      ...place(value.outcome),
      statement: parseEnvelope(value.outcome.statement),
    },
    sealed: fromBase64(value.sealed),
  };
}

/** @param {any} value @returns {Place} */
const place = (value) => ({
  leaf: fromBase64(value.leaf),
  index: value.index,
  inclusion: value.inclusion.map(fromBase64),
});
