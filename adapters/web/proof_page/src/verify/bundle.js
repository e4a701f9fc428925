/** The bundle: everything that travels with one reply (formats.md section 9). */
import { parseCanonical } from './canonical.js';
import { bytesOf, fromBase64, fromHex } from './bytes.js';
import { parseEnvelope } from './dsse.js';
import { Malformed } from './failure.js';
import {
  address, base64, hashPath, integer, isHex, list, nullOr, object, oneOf, record, text,
} from './shape.js';

const MAX_BYTES = 4 * 1024 * 1024;
const MAX_SEALS = 8;
const anything = () => true;
const signature = (value) => text(value) && /^0x[0-9a-f]{130}$/.test(value);
const PLACE = { leaf: base64, proof: text };
const SIGNED = { body: base64, signature };
const BUNDLE = {
  v: oneOf('twinproof-bundle/2'),
  receipt: anything,
  manifest: object(SIGNED, 'manifest'),
  log: object(PLACE, 'log part'),
  outcome: nullOr(object({ statement: anything, ...PLACE }, 'outcome part')),
  revocation: nullOr(object({ ...SIGNED, ...PLACE }, 'revocation part')),
  anchor: nullOr(object({
    chain: integer(1), contract: address, epoch: integer(1), size: integer(0), root: isHex(32), inclusion: hashPath,
  }, 'anchor')),
  seals: (value) => list(anything)(value) && value.length <= MAX_SEALS,
  sealed: nullOr(base64),
};

/**
 * Where a leaf stands in the log; the proof is text that the steps 8 and 9 read.
 * @typedef {object} Place
 * @property {Uint8Array} leaf
 * @property {string} proof
 */

/** @typedef {{body: Uint8Array, signature: string}} Signed what a creator signed */

/**
 * @typedef {object} Anchor
 * @property {number} chain
 * @property {string} contract
 * @property {number} epoch
 * @property {number} size
 * @property {Uint8Array} root
 * @property {Uint8Array[]} inclusion
 */

/**
 * @typedef {object} Bundle
 * @property {import('./dsse.js').Envelope} receipt
 * @property {Signed} manifest
 * @property {Place} log
 * @property {(Place & {statement: import('./dsse.js').Envelope})|null} outcome
 * @property {(Place & Signed)|null} revocation
 * @property {Anchor|null} anchor
 * @property {import('./dsse.js').Envelope[]} seals
 * @property {Uint8Array|null} sealed
 */

/**
 * Read canonical JSON that is no longer than any bundle.
 * @param {Uint8Array|string} file
 * @returns {any}
 */
export function parseFile(file) {
  const bytes = bytesOf(file);
  if (bytes.length > MAX_BYTES) throw new Malformed('it is larger than any bundle');
  return parseCanonical(bytes);
}

/** @param {any} value parsed canonical JSON @returns {Bundle} */
export function readBundle(value) {
  record(value, BUNDLE, 'bundle');
  const { outcome, revocation, anchor } = value;
  return {
    receipt: parseEnvelope(value.receipt),
    manifest: signed(value.manifest),
    log: place(value.log),
    outcome: outcome && { ...place(outcome), statement: parseEnvelope(outcome.statement) },
    revocation: revocation && { ...place(revocation), ...signed(revocation) },
    anchor: anchor && { ...anchor, root: fromHex(anchor.root), inclusion: anchor.inclusion.map(fromBase64) },
    seals: value.seals.map(parseEnvelope),
    sealed: value.sealed === null ? null : fromBase64(value.sealed),
  };
}

/** @param {any} value @returns {Place} */
const place = ({ leaf, proof }) => ({ leaf: fromBase64(leaf), proof });

/** @param {any} value @returns {Signed} */
const signed = ({ body, signature: by }) => ({ body: fromBase64(body), signature: by });
