/** Bytes and their spellings, each accepted in one form only. */
import { Malformed } from './failure.js';

const encoder = new TextEncoder();
/** Half of a pair: what some readers write for a byte that is no UTF-8. */
export const LONE_SURROGATE = /\p{Surrogate}/u;

/** @param {string} text @returns {Uint8Array} */
export const utf8 = (text) => encoder.encode(text);

/** @param {Uint8Array|string} file @returns {Uint8Array} its bytes; text that has none is refused */
export function bytesOf(file) {
  if (typeof file !== 'string') return file;
  if (LONE_SURROGATE.test(file)) throw new Malformed('it has text that is not Unicode');
  return utf8(file);
}

/** @param {...Uint8Array} parts @returns {Uint8Array} */
export function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** @param {number} value @returns {Uint8Array} two bytes, big-endian */
export function u16(value) {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff) throw new Malformed('a number does not fit two bytes');
  return Uint8Array.of(value >> 8, value & 0xff);
}

/** @param {number} value @returns {Uint8Array} four bytes, big-endian */
export function u32(value) {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** @param {Uint8Array} left @param {Uint8Array} right @returns {boolean} */
export function equal(left, right) {
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}

/** @param {Uint8Array} bytes @returns {string} lower-case hexadecimal */
export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @param {string} text lower-case hexadecimal @returns {Uint8Array} */
export function fromHex(text) {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new Malformed('a hexadecimal string is not lower-case hexadecimal');
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** @param {Uint8Array} bytes @returns {string} RFC 4648 base64 with padding */
export function toBase64(bytes) {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** @param {string} text base64 with padding @returns {Uint8Array} */
export function fromBase64(text) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    throw new Malformed('a base64 string is not base64');
  }
  if (toBase64(bytes) !== text) throw new Malformed('a base64 string has another spelling than its only one');
  return bytes;
}

/** @param {Uint8Array} bytes @returns {string} base64url without padding */
export function toBase64Url(bytes) {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** @param {string} text base64url without padding @returns {Uint8Array} */
export function fromBase64Url(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Malformed('a base64url string is not base64url');
  const padding = '='.repeat((4 - (text.length % 4)) % 4);
  return fromBase64(text.replaceAll('-', '+').replaceAll('_', '/') + padding);
}
