/** EIP-712 for the two structs that creators sign (formats.md section 3), from their fields. */
import { keccak_256 as keccak } from '@noble/hashes/sha3.js';
import { concat, fromHex, utf8 } from './shared.js';

const DOMAIN = { name: 'Twinproof', version: '1' };
const DOMAIN_TYPE = 'string name,string version';
export const TYPES = {
  TwinManifest: 'string name,bytes32 twin,bytes32 persona,bytes32 model,bytes32 manifest,string price,string split,'
    + 'address payout,bytes32 operatorKey,string logOrigin,string validFrom,string validUntil',
  TwinOrder: 'string action,string name,bytes32 twin,bytes32 manifest,bytes32 order,string logOrigin,string issued,string expires',
};

/**
 * @param {string} primaryType one of `TYPES`
 * @param {Record<string, string>} message
 * @returns {object} argument of a wallet's `eth_signTypedData_v4`
 */
export function typedDataOf(primaryType, message) {
  const types = { EIP712Domain: membersOf(DOMAIN_TYPE), [primaryType]: membersOf(TYPES[primaryType]) };
  return { types, primaryType, domain: { ...DOMAIN }, message };
}

/** @param {string} primaryType @param {Record<string, string>} message @returns {Uint8Array} the 32 bytes to be signed */
export function digestOf(primaryType, message) {
  const domain = hashStruct('EIP712Domain', DOMAIN_TYPE, DOMAIN);
  return keccak(concat(Uint8Array.of(0x19, 0x01), domain, hashStruct(primaryType, TYPES[primaryType], message)));
}

function membersOf(declared) {
  return declared.split(',').map((member) => {
    const [type, name] = member.split(' ');
    return { name, type };
  });
}

function hashStruct(name, declared, values) {
  const words = membersOf(declared).map((member) => {
    const value = values[member.name];
    if (member.type === 'string') return keccak(utf8(value));
    const bytes = fromHex(value.slice(2).toLowerCase());
    return concat(new Uint8Array(32 - bytes.length), bytes);
  });
  return keccak(concat(keccak(utf8(`${name}(${declared})`)), ...words));
}
