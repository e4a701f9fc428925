/** Shapes of parsed JSON: a check is a function that tells whether a value has the shape. */
import { checksumAddress } from './address.js';
import { fromBase64 } from './bytes.js';
import { Malformed } from './failure.js';

/** @typedef {(value: any) => boolean} Check */

const MAX_TEXT = 65536;
const MAX_ITEMS = 65536;
const MAX_TOKEN = 2 ** 31 - 1;

/** @param {number} least @param {number} most code points @returns {Check} */
export const textOf = (least, most) => (value) => {
  if (typeof value !== 'string' || value.length > 2 * most) return false;
  const size = [...value].length;
  return least <= size && size <= most;
};

/** @type {Check} */
export const text = textOf(0, MAX_TEXT);

/** One line that is not blank, by the whitespace of formats.md section 5. */
const BLANK = /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/;
const BREAKING = /[\p{Cc}\p{Zl}\p{Zp}]/u;
/** The list of formats.md section 1; \p{Cf} itself differs between versions of Unicode. */
const FORMATTING = new RegExp(`[${[
  '\\xad', '\\u0600-\\u0605', '\\u061c', '\\u06dd', '\\u070f', '\\u0890\\u0891', '\\u08e2', '\\u180e',
  '\\u200b-\\u200f', '\\u202a-\\u202e', '\\u2060-\\u2064', '\\u2066-\\u206f', '\\ufeff', '\\ufff9-\\ufffb',
  '\\u{110bd}', '\\u{110cd}', '\\u{13430}-\\u{1343f}', '\\u{1bca0}-\\u{1bca3}', '\\u{1d173}-\\u{1d17a}',
  '\\u{e0001}', '\\u{e0020}-\\u{e007f}',
].join('')}]`, 'u');

/** @param {number} most code points @returns {Check} one line, not blank */
export function lineOf(most) {
  const fits = textOf(1, most);
  return (value) => fits(value) && !BLANK.test(value) && !BREAKING.test(value);
}

/** @param {number} most code points @returns {Check} a line that hides nothing */
export function titleOf(most) {
  const isLine = lineOf(most);
  return (value) => isLine(value) && !FORMATTING.test(value);
}

/** @type {Check} base64 of any length; whoever decodes it checks the spelling */
export const base64 = (value) => typeof value === 'string';

/** @param {number} least @param {number} [most] @returns {Check} */
export const integer = (least, most = Number.MAX_SAFE_INTEGER) => (value) => (
  Number.isSafeInteger(value) && least <= value && value <= most
);

/** @param {...any} allowed @returns {Check} */
export const oneOf = (...allowed) => (value) => allowed.includes(value);

/** @param {number} size bytes @returns {Check} */
export const isHex = (size) => {
  const pattern = new RegExp(`^[0-9a-f]{${size * 2}}$`);
  return (value) => text(value) && pattern.test(value);
};

/** @type {Check} an Ethereum address in the capitals of EIP-55 */
export const address = (value) => text(value) && /^0x[0-9a-fA-F]{40}$/.test(value) && checksumAddress(value) === value;

/** @param {number} size bytes @returns {Check} */
export const isBase64Of = (size) => (value) => base64(value) && fromBase64(value).length === size;

/** Hashes of the longest inclusion proof: a tree of 2^63 leaves. */
export const MAX_PATH = 63;

/** @type {Check} an inclusion proof; whoever uses it knows its length */
export const hashPath = (value) => list(isBase64Of(32))(value) && value.length <= MAX_PATH;

/** @param {Check} check @returns {Check} */
export const nullOr = (check) => (value) => value === null || check(value);

/** @param {Check} check @returns {Check} */
export const list = (check) => (value) => (
  Array.isArray(value) && value.length <= MAX_ITEMS && value.every((item) => check(item))
);

/** @type {Check} */
const isDecimal = (value) => text(value) && /^(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,9})?$/.test(value);

/** @type {Check} a positive decimal */
export const decimal = (value) => isDecimal(value) && Number(value) > 0;

/** @param {number} most @returns {Check} a decimal from 0 to `most` */
export const upTo = (most) => (value) => isDecimal(value) && Number(value) <= most;

/** @type {Check} RFC 3339 in UTC with whole seconds, and a day that exists after the year 0 */
export const time = (value) => {
  if (!text(value) || !/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/.test(value)) return false;
  if (value.startsWith('0000')) return false;
  const at = new Date(value);
  return !Number.isNaN(at.getTime()) && at.toISOString() === value.replace('Z', '.000Z');
};

/** @type {Check} */
export const tokens = list(integer(0, MAX_TOKEN));

/**
 * Require an object with exactly these members, each of its shape.
 * @param {any} value
 * @param {Record<string, Check>} members
 * @param {string} name what the object is, for the message
 */
export function record(value, members, name) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Malformed(`the ${name} is not an object`);
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(members, key)) throw new Malformed(`the ${name} has an unknown member`);
  }
  for (const [key, check] of Object.entries(members)) {
    if (!Object.hasOwn(value, key)) throw new Malformed(`the ${name} lacks "${key}"`);
    if (!check(value[key])) throw new Malformed(`"${key}" of the ${name} is not what the format says`);
  }
}

/**
 * The same as a check, for objects inside objects.
 * @param {Record<string, Check>} members
 * @param {string} name
 * @returns {Check}
 */
export const object = (members, name) => (value) => {
  record(value, members, name);
  return true;
};
