/** What is being checked; changed by the person's actions only. */
import { Malformed } from '../verify/failure.js';
import { toBase64Url } from '../verify/bytes.js';
import { parseLink } from '../verify/link.js';
import { verifyDisclosure } from '../verify/disclosure.js';
import { kindOf, verify } from '../verify/verify.js';

export const evidence = {
  /** @type {Uint8Array|null} */ bytes: null,
  /** @type {string|null} of a file from disk; null: it came from this page's host */ fileName: null,
  /** What names the reply: a link, a file's fragment, or a key alone. */ pasted: '',
  /** @type {import('../verify/result.d.ts').Policy|null} */ policy: null,
  /** @type {import('../verify/result.d.ts').Lookup|null} what the chain said of this very proof */ lookup: null,
  /** The RPC as it was typed, so that it need not be typed again. */ rpc: '',
};

/** Verify it. @returns {Promise<{result: import('../verify/result.d.ts').Result, key: string|null, problem?: string}>} */
export async function openProof() {
  const { bytes, policy, pasted } = evidence;
  const { key, receiptId, problem } = readKey(pasted);
  if (kindOf(bytes) === 'disclosure') {
    return { result: await verifyDisclosure({ bundle: bytes, receiptId, policy }), key: null };
  }
  const result = await verify({ bundle: bytes, key, receiptId, policy });
  return { result, key: key && toBase64Url(key), problem };
}

/**
 * A link whose key cannot be read counts as a wrong key, so that step 5 fails.
 * @param {string} pasted
 * @returns {{receiptId: string|null, key: Uint8Array|null, problem?: string}}
 */
function readKey(pasted) {
  try {
    return parseLink(pasted);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const { receiptId } = parseLink(pasted.split('#')[0]);
    return { receiptId, key: new Uint8Array(0), problem: error.reason };
  }
}
