/** The creator's signature on a manifest: EIP-712 with readable fields (formats.md section 3). */
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 as keccak } from '@noble/hashes/sha3.js';
import { concat, fromHex, toHex, utf8 } from './bytes.js';

const DOMAIN_TYPE = 'EIP712Domain(string name,string version)';
const MANIFEST_TYPE = 'TwinManifest(string name,bytes32 twin,bytes32 persona,bytes32 model,'
  + 'bytes32 manifest,string price,string split,address payout,bytes32 operatorKey,'
  + 'string logOrigin,string validFrom,string validUntil)';

const ofText = (value) => keccak(utf8(value));
const ofAddress = (value) => concat(new Uint8Array(12), fromHex(value.slice(2).toLowerCase()));

/**
 * Recover who signed a manifest.
 * @param {any} manifest
 * @param {Uint8Array} manifestHash
 * @param {string} signature `0x` and 65 bytes in hexadecimal: r, s, v
 * @returns {string|null} EIP-55 address, null when the signature is none
 */
export function recoverCreator(manifest, manifestHash, signature) {
  const bytes = fromHex(signature.slice(2));
  const v = bytes[64];
  if (v !== 27 && v !== 28) return null;
  const recovered = concat(Uint8Array.of(v - 27), bytes.subarray(0, 64));
  try {
    if (secp256k1.Signature.fromBytes(recovered, 'recovered').hasHighS()) return null;
    const digest = creatorDigest(manifest, manifestHash);
    const compressed = secp256k1.recoverPublicKey(recovered, digest, { prehash: false });
    const point = secp256k1.Point.fromBytes(compressed).toBytes(false);
    return checksumAddress(`0x${toHex(keccak(point.subarray(1)).subarray(12))}`);
  } catch {
    return null;
  }
}

/** @param {string} address @returns {string} the address in EIP-55 capitals */
export function checksumAddress(address) {
  const digits = address.slice(2).toLowerCase();
  const hash = toHex(keccak(utf8(digits)));
  return `0x${[...digits].map((digit, i) => (parseInt(hash[i], 16) >= 8 ? digit.toUpperCase() : digit)).join('')}`;
}

/** @param {{nano: number, token: string}} price @returns {string} as the creator signed it */
export function priceText(price) {
  return `${decimalAmount(BigInt(price.nano))} ${price.token} per reply`;
}

/** @param {bigint} nano @returns {string} nano / 1e9 without exponent and trailing zeros */
export function decimalAmount(nano) {
  const fraction = (nano % 1000000000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${nano / 1000000000n}${fraction && `.${fraction}`}`;
}

/**
 * @param {any} manifest
 * @param {Uint8Array} manifestHash
 * @returns {Uint8Array} what the creator's wallet signs (EIP-712)
 */
export function creatorDigest(manifest, manifestHash) {
  const domain = keccak(concat(ofText(DOMAIN_TYPE), ofText('Twinproof'), ofText('1')));
  const message = keccak(concat(
    ofText(MANIFEST_TYPE),
    ofText(manifest.name),
    fromHex(manifest.twin),
    fromHex(manifest.persona),
    fromHex(manifest.model.gguf),
    manifestHash,
    ofText(priceText(manifest.price)),
    ofText(`creator ${percent(manifest.split.creator_bp)}, operator ${percent(manifest.split.operator_bp)}`),
    ofAddress(manifest.payout),
    fromHex(manifest.operator.signing_key),
    ofText(manifest.log.origin),
    ofText(manifest.valid_from),
    ofText(manifest.valid_until),
  ));
  return keccak(concat(Uint8Array.of(0x19, 0x01), domain, message));
}

/** @param {number} basisPoints @returns {string} */
const percent = (basisPoints) => `${Math.floor(basisPoints / 100)}.${String(basisPoints % 100).padStart(2, '0')} %`;
