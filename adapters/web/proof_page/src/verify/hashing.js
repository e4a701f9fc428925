/** SHA-256, the tagged hash and HKDF. */
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concat, u32, utf8 } from './bytes.js';

export { sha256 };

/**
 * The tagged hash of formats.md section 1.
 * @param {string} tag
 * @param {...(Uint8Array|string)} parts
 * @returns {Uint8Array}
 */
export function taggedHash(tag, ...parts) {
  const pieces = [utf8(`twinproof/v1/${tag}`), Uint8Array.of(0)];
  for (const part of parts) {
    const bytes = typeof part === 'string' ? utf8(part) : part;
    pieces.push(u32(bytes.length), bytes);
  }
  return sha256(concat(...pieces));
}

/** @param {Uint8Array} receiptHash @returns {Uint8Array} what the log and its statements know a receipt by */
export const receiptTagOf = (receiptHash) => taggedHash('receipt', receiptHash);

/**
 * HKDF-SHA-256 without salt.
 * @param {Uint8Array} key
 * @param {string} info
 * @param {number} size
 * @returns {Uint8Array}
 */
export const derive = (key, info, size) => hkdf(sha256, key, new Uint8Array(0), utf8(info), size);
