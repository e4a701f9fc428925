/** ECVRF-EDWARDS25519-SHA512-TAI, verification (RFC 9381 sections 5.3 to 5.5). */
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concat, equal } from './bytes.js';

const { Point } = ed25519;
const ORDER = Point.Fn.ORDER;
const SUITE = 0x03;
const TRIES = 256;

/**
 * @param {Uint8Array} key public key, 32 bytes
 * @param {Uint8Array} alpha input
 * @param {Uint8Array} proof 80 bytes: Gamma, c, s
 * @returns {Uint8Array|null} beta (64 bytes), null when the proof is false
 */
export function verifyVrf(key, alpha, proof) {
  const y = decodePoint(key);
  const gamma = proof.length === 80 ? decodePoint(proof.subarray(0, 32)) : null;
  if (y === null || gamma === null || y.isSmallOrder()) return null;
  const c = littleEndian(proof.subarray(32, 48));
  const s = littleEndian(proof.subarray(48, 80));
  if (s >= ORDER) return null;
  const h = hashToCurve(key, alpha);
  if (h === null) return null;
  const u = Point.BASE.multiplyUnsafe(s).subtract(y.multiplyUnsafe(c));
  const v = h.multiplyUnsafe(s).subtract(gamma.multiplyUnsafe(c));
  if (!equal(challenge(y, h, gamma, u, v), proof.subarray(32, 48))) return null;
  return sha512(concat(Uint8Array.of(SUITE, 0x03), gamma.clearCofactor().toBytes(), Uint8Array.of(0)));
}

/** Try and increment (section 5.4.1.1). @param {Uint8Array} key @param {Uint8Array} alpha @returns {any} a point, null after 256 failures */
export function hashToCurve(key, alpha) {
  for (let counter = 0; counter < TRIES; counter += 1) {
    const input = concat(Uint8Array.of(SUITE, 0x01), key, alpha, Uint8Array.of(counter, 0));
    const point = decodePoint(sha512(input).subarray(0, 32));
    if (point !== null && !point.isSmallOrder()) return point.clearCofactor();
  }
  return null;
}

/** Section 5.4.3. @param {...any} points @returns {Uint8Array} c, 16 bytes */
export function challenge(...points) {
  const encoded = points.map((point) => point.toBytes());
  return sha512(concat(Uint8Array.of(SUITE, 0x02), ...encoded, Uint8Array.of(0))).subarray(0, 16);
}

/** @param {Uint8Array} bytes @returns {any} a point, null when the encoding is none (RFC 8032) */
function decodePoint(bytes) {
  try {
    return Point.fromBytes(bytes, false);
  } catch {
    return null;
  }
}

/** @param {Uint8Array} bytes @returns {bigint} */
function littleEndian(bytes) {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
