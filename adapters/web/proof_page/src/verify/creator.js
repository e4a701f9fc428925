/** The creator's signatures: EIP-712 with readable fields (formats.md sections 3 and 3.1). */
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 as keccak } from '@noble/hashes/sha3.js';
import { checksumAddress } from './address.js';
import { concat, fromHex, toHex, utf8 } from './bytes.js';

const DOMAIN_TYPE = 'EIP712Domain(string name,string version)';
const MANIFEST_TYPE = 'TwinManifest(string name,bytes32 twin,bytes32 persona,bytes32 model,'
  + 'bytes32 manifest,string price,string split,address payout,bytes32 operatorKey,'
  + 'string logOrigin,string validFrom,string validUntil)';
const ORDER_TYPE = 'TwinOrder(string action,string name,bytes32 twin,bytes32 manifest,bytes32 order,'
  + 'string logOrigin,string issued,string expires)';

const ofText = (value) => keccak(utf8(value));
const ofAddress = (value) => concat(new Uint8Array(12), fromHex(value.slice(2).toLowerCase()));

/**
 * Recover who signed a digest.
 * @param {Uint8Array} digest of EIP-712
 * @param {string} signature `0x` and 65 bytes in hexadecimal: r, s, v
 * @returns {string|null} EIP-55 address, null when the signature is none
 */
export function recoverSigner(digest, signature) {
  const bytes = fromHex(signature.slice(2));
  const v = bytes[64];
  if (v !== 27 && v !== 28) return null;
  const recovered = concat(Uint8Array.of(v - 27), bytes.subarray(0, 64));
  try {
    if (secp256k1.Signature.fromBytes(recovered, 'recovered').hasHighS()) return null;
    const compressed = secp256k1.recoverPublicKey(recovered, digest, { prehash: false });
    const point = secp256k1.Point.fromBytes(compressed).toBytes(false);
    return checksumAddress(`0x${toHex(keccak(point.subarray(1)).subarray(12))}`);
  } catch {
    return null;
  }
}

/** @param {{nano: number, token: string, free_daily: number}} price @returns {string} as the creator signed it */
export function priceText(price) {
  return `${decimalAmount(BigInt(price.nano))} ${price.token} per reply, ${price.free_daily} a day free`;
}

/** @param {{creator_bp: number, operator_bp: number}} split @returns {string} as the creator signed it */
export function splitText(split) {
  return `creator ${percent(split.creator_bp)}, operator ${percent(split.operator_bp)}`;
}

/** @param {bigint} nano @returns {string} nano / 1e9 without exponent and trailing zeros */
export function decimalAmount(nano) {
  const fraction = (nano % 1000000000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${nano / 1000000000n}${fraction && `.${fraction}`}`;
}

/**
 * @param {any} manifest
 * @param {Uint8Array} manifestHash
 * @returns {Uint8Array} what the creator's wallet signs
 */
export const creatorDigest = (manifest, manifestHash) => digestOf(
  ofText(MANIFEST_TYPE),
  ofText(manifest.name),
  fromHex(manifest.twin),
  fromHex(manifest.persona),
  fromHex(manifest.model.gguf),
  manifestHash,
  ofText(priceText(manifest.price)),
  ofText(splitText(manifest.split)),
  ofAddress(manifest.payout),
  fromHex(manifest.operator.signing_key),
  ofText(manifest.log.origin),
  ofText(manifest.valid_from),
  ofText(manifest.valid_until),
);

/**
 * @param {any} order
 * @param {string} name the twin's display name
 * @param {Uint8Array} orderHash
 * @returns {Uint8Array} what the creator's wallet signs
 */
export const orderDigest = (order, name, orderHash) => digestOf(
  ofText(ORDER_TYPE),
  ofText(order.action),
  ofText(name),
  fromHex(order.twin),
  order.manifest === null ? new Uint8Array(32) : fromHex(order.manifest),
  orderHash,
  ofText(order.log),
  ofText(order.issued),
  ofText(order.expires),
);

/** @param {...Uint8Array} words of the struct, its type's hash first @returns {Uint8Array} */
function digestOf(...words) {
  const domain = keccak(concat(ofText(DOMAIN_TYPE), ofText('Twinproof'), ofText('1')));
  return keccak(concat(Uint8Array.of(0x19, 0x01), domain, keccak(concat(...words))));
}

/** @param {number} basisPoints @returns {string} */
const percent = (basisPoints) => `${Math.floor(basisPoints / 100)}.${String(basisPoints % 100).padStart(2, '0')} %`;
