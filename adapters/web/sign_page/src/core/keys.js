/** secp256k1 keys: addresses, recoverable signatures, and keys that come from a recovery phrase. */
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { keccak_256 as keccak } from '@noble/hashes/sha3.js';
import { generateMnemonic, mnemonicToSeed, validateMnemonic } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { Refused } from './refused.js';
import {
  concat, fromHex, toHex, utf8,
} from './shared.js';

const HARDENED = 0x80000000;
/** m/44'/60'/0'/0/0: where every Ethereum wallet looks first. */
const ACCOUNT_PATH = [44 + HARDENED, 60 + HARDENED, HARDENED, 0, 0];
const ORDER = secp256k1.Point.Fn.ORDER;
export const NO_ADDRESS = `0x${'0'.repeat(40)}`;

/** @param {Uint8Array} bytes 20 of them @returns {string} with EIP-55's capitals */
export function checksumAddress(bytes) {
  const digits = toHex(bytes);
  const hash = toHex(keccak(utf8(digits)));
  return `0x${[...digits].map((digit, i) => (parseInt(hash[i], 16) >= 8 ? digit.toUpperCase() : digit)).join('')}`;
}

/**
 * Read an address as people paste it; mixed capitals have to be EIP-55's, because they are there
 * to catch typing errors.
 * @param {string} text
 * @returns {string} with EIP-55's capitals
 */
export function readAddress(text) {
  const pasted = text.trim();
  if (!/^0x[0-9a-fA-F]{40}$/.test(pasted)) throw new Refused('An address is 0x and 40 digits or letters from a to f.');
  const digits = pasted.slice(2);
  const address = checksumAddress(fromHex(digits.toLowerCase()));
  const plain = digits === digits.toLowerCase() || digits === digits.toUpperCase();
  if (!plain && address !== pasted) throw new Refused('This address has a typing error: its capitals do not fit. Copy it again.');
  return address;
}

/** @param {Uint8Array} key 32 bytes @returns {string} */
export function addressOf(key) {
  return checksumAddress(keccak(secp256k1.getPublicKey(key, false).subarray(1)).subarray(12));
}

/**
 * @param {Uint8Array} key
 * @param {Uint8Array} digest 32 bytes, signed as they are
 * @returns {string} `0x`, r, s (low), v (27 or 28)
 */
export function signDigest(key, digest) {
  const signature = secp256k1.sign(digest, key, { prehash: false, format: 'recovered' });
  return `0x${toHex(concat(signature.subarray(1), Uint8Array.of(27 + signature[0])))}`;
}

/** @returns {string} twelve words from 128 bits of the browser's own randomness */
export const makePhrase = () => generateMnemonic(wordlist, 128);

/** @param {string} text as somebody typed it @returns {string} the phrase */
export function readPhrase(text) {
  const phrase = text.normalize('NFKD').toLowerCase().trim().split(/\s+/).join(' ');
  if (!validateMnemonic(phrase, wordlist)) {
    throw new Refused('These are not the words of a recovery phrase, in their order. Check the spelling of each.');
  }
  return phrase;
}

/** @param {string} phrase @returns {Promise<Uint8Array>} the key of its first account */
export async function keyOfPhrase(phrase) {
  let node = hmac(sha512, utf8('Bitcoin seed'), await mnemonicToSeed(phrase));
  for (const index of ACCOUNT_PATH) node = childOf(node, index);
  return node.slice(0, 32);
}

/** One step of BIP-32. @param {Uint8Array} node key and chain code @param {number} index */
function childOf(node, index) {
  const key = node.subarray(0, 32);
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, index);
  const parent = index >= HARDENED ? concat(Uint8Array.of(0), key) : secp256k1.getPublicKey(key, true);
  const step = hmac(sha512, node.subarray(32), concat(parent, number));
  const sum = BigInt(`0x${toHex(step.subarray(0, 32))}`) + BigInt(`0x${toHex(key)}`);
  return concat(fromHex((sum % ORDER).toString(16).padStart(64, '0')), step.subarray(32));
}
