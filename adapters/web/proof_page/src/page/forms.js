/** How hashes, amounts, times and counts are written for people. */

/** @param {string} hex @returns {string} enough of it to compare by eye */
export const short = (hex) => `${hex.slice(0, 8)}…${hex.slice(-6)}`;

/** @param {number} count @param {string} thing @returns {string} */
export const plural = (count, thing) => (count === 1 ? `one ${thing}` : `${count} ${thing}s`);

/** @param {{host: string}} place */
export const hostOf = ({ host }) => host || 'this page';

/** @param {number} nano @returns {string} nano / 1e9 without exponent and trailing zeros */
export function amount(nano) {
  const digits = String(nano).padStart(10, '0');
  const fraction = digits.slice(-9).replace(/0+$/, '');
  return `${digits.slice(0, -9)}${fraction && `.${fraction}`}`;
}

/** @param {number} bytes @returns {string} */
export function size(bytes) {
  if (bytes < 1e6) return `${Math.ceil(bytes / 1000)} kB`;
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

const DAY = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'medium', timeZone: 'UTC' });

/** @param {string} time RFC 3339 @returns {string} */
export const day = (time) => `${DAY.format(new Date(time))} UTC`;

/** @param {number} chain @returns {string} */
export function chainName(chain) {
  const known = { 1: 'Ethereum', 10: 'OP Mainnet', 137: 'Polygon', 8453: 'Base', 42161: 'Arbitrum One', 84532: 'Base Sepolia', 11155111: 'Sepolia' };
  const local = { 1337: 1, 31337: 1 };
  if (known[chain]) return `chain ${chain} (${known[chain]})`;
  return local[chain] ? `chain ${chain} (the number of chains on somebody’s own computer, which prove nothing to others)` : `chain ${chain}`;
}
