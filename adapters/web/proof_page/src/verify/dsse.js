/** DSSE envelopes with exactly one Ed25519 signature (formats.md section 7). */
import { concat, equal, fromBase64, fromHex, utf8 } from './bytes.js';
import { ed25519Verifies } from './ciphers.js';
import { Malformed } from './failure.js';
import { sha256 } from './hashing.js';
import {
  base64, isBase64Of, isHex, list, record, text,
} from './shape.js';

/**
 * @typedef {object} Envelope
 * @property {string} type
 * @property {Uint8Array} payload
 * @property {Uint8Array} keyId
 * @property {Uint8Array} signature
 * @property {Uint8Array} encoded the pre-authentication encoding: what is signed
 * @property {Uint8Array} hash SHA-256 of `encoded`
 */

/** @param {any} value parsed JSON @returns {Envelope} */
export function parseEnvelope(value) {
  record(value, { payload: base64, payloadType: text, signatures: list(signature) }, 'envelope');
  if (value.signatures.length !== 1) throw new Malformed('the envelope does not have exactly one signature');
  const { payloadType: type } = value;
  const payload = fromBase64(value.payload);
  const encoded = concat(utf8(`DSSEv1 ${utf8(type).length} ${type} ${payload.length} `), payload);
  const [only] = value.signatures;
  return {
    type,
    payload,
    keyId: fromHex(only.keyid),
    signature: fromBase64(only.sig),
    encoded,
    hash: sha256(encoded),
  };
}

/**
 * @param {Envelope} envelope
 * @param {string} type the only payload type accepted
 * @param {Uint8Array} key
 * @returns {Promise<boolean>}
 */
export async function isSignedBy(envelope, type, key) {
  return envelope.type === type
    && equal(envelope.keyId, key)
    && ed25519Verifies(key, envelope.encoded, envelope.signature);
}

const signature = (value) => {
  record(value, { keyid: isHex(32), sig: isBase64Of(64) }, 'signature');
  return true;
};
