/** What the signing page takes from the proof page: bytes, canonical JSON, hashes, shapes, fixed answers. */
export {
  concat, equal, fromHex, toHex, utf8,
} from '../../../proof_page/src/verify/bytes.js';
export { encodeCanonical, parseCanonical } from '../../../proof_page/src/verify/canonical.js';
export { Malformed } from '../../../proof_page/src/verify/failure.js';
export { fixedText, isRule } from '../../../proof_page/src/verify/fixed_answers.js';
export { sha256, taggedHash } from '../../../proof_page/src/verify/hashing.js';
export {
  decimal, integer, isHex, list, nullOr, object, oneOf, record, text, textOf, time, titleOf, tokens, upTo,
} from '../../../proof_page/src/verify/shape.js';
