/** Links, receipt ids and opening keys, as people paste them. */
import { fromBase64Url, toBase64Url } from './bytes.js';
import { Malformed } from './failure.js';

export { parsePolicy } from './policy.js';

/** @param {Uint8Array} receiptHash @returns {string} 22 characters */
export const receiptIdOf = (receiptHash) => toBase64Url(receiptHash.subarray(0, 16));

/**
 * Read whatever names a reply: a link, a path, a file name with a fragment, or the key alone.
 * @param {string} pasted
 * @returns {{receiptId: string|null, key: Uint8Array|null}}
 */
export function parseLink(pasted) {
  const trimmed = pasted.trim();
  const [address, fragment] = trimmed.includes('#') ? trimmed.split(/#(.*)/s) : [trimmed, null];
  const id = /\/r\/([A-Za-z0-9_-]{22})(?:\.json)?\/?$/.exec(address);
  const isKeyAlone = fragment === null && /^(?:k=)?[A-Za-z0-9_-]{43}$/.test(trimmed);
  const key = isKeyAlone ? `k=${trimmed.replace(/^k=/, '')}` : fragment;
  return { receiptId: id ? id[1] : null, key: parseFragment(key) };
}

/** @param {string|null} fragment without `#` @returns {Uint8Array|null} null where there is no key */
export function parseFragment(fragment) {
  if (!fragment) return null;
  const match = /^k=([A-Za-z0-9_-]*)$/.exec(fragment);
  if (!match) throw new Malformed('what follows # in the link is not a key');
  const key = fromBase64Url(match[1]);
  if (key.length !== 32) throw new Malformed('the key in the link is not 32 bytes; perhaps the link was cut');
  return key;
}
