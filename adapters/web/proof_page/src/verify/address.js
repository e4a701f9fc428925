/** Ethereum addresses in the capitals of EIP-55. */
import { keccak_256 as keccak } from '@noble/hashes/sha3.js';
import { toHex, utf8 } from './bytes.js';

/** @param {string} address @returns {string} the address in EIP-55 capitals */
export function checksumAddress(address) {
  const digits = address.slice(2).toLowerCase();
  const hash = toHex(keccak(utf8(digits)));
  return `0x${[...digits].map((digit, i) => (parseInt(hash[i], 16) >= 8 ? digit.toUpperCase() : digit)).join('')}`;
}
