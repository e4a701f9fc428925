/** Encrypted key files: Web3 Secret Storage version 3, as every Ethereum wallet reads them. */
import { ctr } from '@noble/ciphers/aes.js';
import { pbkdf2Async } from '@noble/hashes/pbkdf2.js';
import { scryptAsync } from '@noble/hashes/scrypt.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { keccak_256 as keccak } from '@noble/hashes/sha3.js';
import { addressOf } from './keys.js';
import { Refused } from './refused.js';
import {
  concat, equal, fromHex, toHex, utf8,
} from './shared.js';

/** Half of what geth takes: a second in a browser, and 128 MiB, which a phone has. */
const SCRYPT = { n: 2 ** 17, r: 8, p: 1, dklen: 32 };
const MOST = { memory: 2 ** 30, rounds: 10_000_000 };
const random = (size) => crypto.getRandomValues(new Uint8Array(size));

/**
 * @param {Uint8Array} key 32 bytes
 * @param {string} password
 * @returns {Promise<string>} the file's text
 */
export async function encryptKey(key, password) {
  const [salt, iv] = [random(32), random(16)];
  const derived = await deriveScrypt(password, { ...SCRYPT, salt: toHex(salt) });
  const ciphertext = ctr(derived.subarray(0, 16), iv).encrypt(key);
  return `${JSON.stringify({
    version: 3,
    id: crypto.randomUUID?.() ?? uuidOf(random(16)),
    address: addressOf(key).slice(2).toLowerCase(),
    crypto: {
      cipher: 'aes-128-ctr',
      cipherparams: { iv: toHex(iv) },
      ciphertext: toHex(ciphertext),
      kdf: 'scrypt',
      kdfparams: { ...SCRYPT, salt: toHex(salt) },
      mac: toHex(keccak(concat(derived.subarray(16, 32), ciphertext))),
    },
  }, null, 1)}\n`;
}

/** @param {string} file text of the file @param {string} password @returns {Promise<Uint8Array>} */
export async function decryptKey(file, password) {
  const sealed = readKeystore(file);
  const derived = sealed.kdf === 'scrypt'
    ? await deriveScrypt(password, sealed.kdfparams)
    : await derivePbkdf2(password, sealed.kdfparams);
  const ciphertext = fromHex(sealed.ciphertext.toLowerCase());
  const mac = keccak(concat(derived.subarray(16, 32), ciphertext));
  if (!equal(mac, fromHex(sealed.mac.toLowerCase()))) throw new Refused('The password is not the one of this key file.');
  return ctr(derived.subarray(0, 16), fromHex(sealed.cipherparams.iv.toLowerCase())).decrypt(ciphertext);
}

/** @param {string} file @returns {any} the sealed part, of a shape that can be worked with */
function readKeystore(file) {
  let value;
  try {
    value = JSON.parse(file);
  } catch {
    throw new Refused('This is not a key file.');
  }
  const sealed = value?.crypto ?? value?.Crypto;
  const hex = (text, size) => new RegExp(`^[0-9a-fA-F]{${2 * size}}$`).test(text);
  const known = value?.version === 3 && sealed?.cipher === 'aes-128-ctr' && hex(sealed.ciphertext, 32)
    && hex(sealed.mac, 32) && hex(sealed.cipherparams?.iv, 16) && /^(?:[0-9a-fA-F]{2})+$/.test(sealed.kdfparams?.salt)
    && sealed.kdfparams.dklen === 32;
  if (!known || !['scrypt', 'pbkdf2'].includes(sealed.kdf)) throw new Refused('This is not a key file that this page can read (Web3 keystore, version 3).');
  return sealed;
}

function deriveScrypt(password, { n, r, p, dklen, salt }) {
  const whole = [n, r, p].every((number) => Number.isSafeInteger(number) && number > 0);
  if (!whole || 128 * n * r > MOST.memory || p > 16) throw new Refused('This key file asks for more memory than a browser has.');
  const options = { N: n, r, p, dkLen: dklen, maxmem: MOST.memory + 2 ** 20 };
  return scryptAsync(utf8(password), fromHex(salt.toLowerCase()), options);
}

function derivePbkdf2(password, { c, prf, dklen, salt }) {
  const fits = Number.isSafeInteger(c) && c > 0 && c <= MOST.rounds && prf === 'hmac-sha256';
  if (!fits) throw new Refused('This key file is sealed in a way that this page does not know.');
  return pbkdf2Async(sha256, utf8(password), fromHex(salt.toLowerCase()), { c, dkLen: dklen });
}

/** Browsers without https lack `randomUUID`. @param {Uint8Array} bytes */
function uuidOf(bytes) {
  const digits = toHex(bytes.with(6, (bytes[6] & 0x0f) | 0x40).with(8, (bytes[8] & 0x3f) | 0x80));
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
