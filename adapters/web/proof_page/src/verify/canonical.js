/** Canonical JSON: RFC 8785 without floating-point numbers (formats.md section 1). */
import { Malformed } from './failure.js';
import { LONE_SURROGATE, utf8 } from './bytes.js';

const MAX_DEPTH = 32;

/**
 * Read canonical JSON; any byte that encoding the value again would not give is refused.
 * @param {Uint8Array} bytes
 * @returns {any}
 */
export function parseCanonical(bytes) {
  let text;
  let value;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw new Malformed('it is not JSON in UTF-8');
  }
  if (canonicalText(value) !== text) throw new Malformed('it is not in canonical form');
  return value;
}

/** @param {any} value @returns {Uint8Array} the value's only encoding */
export const encodeCanonical = (value) => utf8(canonicalText(value));

/** @param {any} value @param {number} [depth] containers around it @returns {string} */
function canonicalText(value, depth = 0) {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new Malformed('it has a number that is not a safe integer');
    return String(value);
  }
  if (typeof value === 'string') return stringText(value);
  if (depth === MAX_DEPTH) throw new Malformed('it is nested too deeply');
  const inner = (item) => canonicalText(item, depth + 1);
  if (Array.isArray(value)) return `[${value.map(inner).join(',')}]`;
  const members = Object.keys(value).sort();
  return `{${members.map((name) => `${stringText(name)}:${inner(value[name])}`).join(',')}}`;
}

/** @param {string} value @returns {string} ECMAScript's quoting is RFC 8785's */
function stringText(value) {
  if (LONE_SURROGATE.test(value)) throw new Malformed('it has text that is not Unicode');
  return JSON.stringify(value);
}
