/** Ed25519 and AES-256-GCM: the browser's own where it has them, @noble's elsewhere. */
import { gcm } from '@noble/ciphers/aes.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { toHex } from './bytes.js';

const { Point } = ed25519;
const subtle = globalThis.crypto?.subtle;

/** Answers given before: a point costs more than all else, and the same keys come again and again. */
const judged = new Map();
const MOST_JUDGED = 1024;

/**
 * Tell whether bytes are the canonical encoding of a point of prime order: what keys and the R of
 * a signature must be (formats.md section 1).
 * @param {Uint8Array} bytes
 * @returns {boolean}
 */
export function isPrimeOrderPoint(bytes) {
  const name = toHex(bytes);
  const known = judged.get(name);
  if (known !== undefined) return known;
  if (judged.size === MOST_JUDGED) judged.clear();
  judged.set(name, hasPrimeOrder(bytes));
  return judged.get(name);
}

/** @param {Uint8Array} bytes @returns {boolean} */
function hasPrimeOrder(bytes) {
  try {
    const point = Point.fromBytes(bytes, false);
    return !point.is0() && point.isTorsionFree();
  } catch {
    return false;
  }
}

/**
 * @param {Uint8Array} key public key, 32 bytes
 * @param {Uint8Array} message
 * @param {Uint8Array} signature 64 bytes
 * @returns {Promise<boolean>}
 */
export async function ed25519Verifies(key, message, signature) {
  if (key.length !== 32 || signature.length !== 64) return false;
  if (!isPrimeOrderPoint(key) || !isPrimeOrderPoint(signature.subarray(0, 32))) return false;
  let native;
  try {
    native = await subtle?.importKey('raw', key, 'Ed25519', false, ['verify']);
  } catch {
    native = undefined;  // this browser has no Ed25519
  }
  if (native) return subtle.verify('Ed25519', native, signature, message);
  try {
    return ed25519.verify(signature, message, key, { zip215: false });
  } catch {
    return false;
  }
}

/**
 * Open AES-256-GCM with twelve zero bytes as nonce.
 * @param {Uint8Array} key 32 bytes
 * @param {Uint8Array} sealed ciphertext and tag
 * @param {Uint8Array} additional data that is authenticated too
 * @returns {Promise<Uint8Array|null>} null when the tag does not fit
 */
export async function openSealed(key, sealed, additional) {
  const nonce = new Uint8Array(12);
  try {
    if (!subtle) return gcm(key, nonce, additional).decrypt(sealed);
    const native = await subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt']);
    const parameters = { name: 'AES-GCM', iv: nonce, additionalData: additional };
    return new Uint8Array(await subtle.decrypt(parameters, native, sealed));
  } catch {
    return null;
  }
}
