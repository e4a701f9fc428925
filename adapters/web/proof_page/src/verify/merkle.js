/** RFC 6962 trees: root of a list of leaves, and inclusion (RFC 9162 section 2.1.3.2). */
import { concat, equal } from './bytes.js';
import { sha256 } from './hashing.js';

/** @param {Uint8Array} data @returns {Uint8Array} */
export const leafHash = (data) => sha256(concat(Uint8Array.of(0), data));

/** @param {Uint8Array} left @param {Uint8Array} right @returns {Uint8Array} */
export const nodeHash = (left, right) => sha256(concat(Uint8Array.of(1), left, right));

/** @param {Uint8Array[]} leaves at least one @returns {Uint8Array} */
export function merkleRoot(leaves) {
  if (leaves.length === 1) return leafHash(leaves[0]);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(merkleRoot(leaves.slice(0, split)), merkleRoot(leaves.slice(split)));
}

/**
 * Tell whether a leaf stands at an index of the tree; every hash of the path must be used.
 * @param {Uint8Array} leaf
 * @param {number} index
 * @param {number} size
 * @param {Uint8Array[]} path
 * @param {Uint8Array} root
 * @returns {boolean}
 */
export function isIncluded(leaf, index, size, path, root) {
  if (index < 0 || index >= size) return false;
  let node = BigInt(index);
  let last = BigInt(size - 1);
  let hash = leafHash(leaf);
  for (const sibling of path) {
    if (last === 0n) return false;
    if (node % 2n === 1n || node === last) {
      hash = nodeHash(sibling, hash);
      while (node % 2n === 0n && node !== 0n) {
        node /= 2n;
        last /= 2n;
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    node /= 2n;
    last /= 2n;
  }
  return last === 0n && equal(hash, root);
}
