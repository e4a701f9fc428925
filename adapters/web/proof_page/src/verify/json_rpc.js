/** Asking an Ethereum node, by JSON-RPC over HTTP. */

const WAIT_MS = 20000;
const MAX_REASON = 200;

/** The RPC did not answer what it was asked, so nothing is known. */
export class Unanswered extends Error {}

/**
 * @param {string} address http or https
 * @param {typeof fetch} fetch
 * @returns {(method: string, parameters: any[], otherwise?: any) => Promise<any>} gives the answer's
 *   result; `otherwise`, where it is given, stands for an answer that is an error
 */
export function jsonRpc(address, fetch) {
  let id = 0;
  return async (method, params, ...otherwise) => {
    id += 1;
    const answer = await post(address, fetch, { jsonrpc: '2.0', id, method, params });
    if (answer?.error && otherwise.length > 0) return otherwise[0];
    if (answer?.error) throw new Unanswered(`the RPC refuses ${method}: ${String(answer.error.message).slice(0, MAX_REASON)}`);
    if (answer?.id !== id || answer.result === undefined) throw new Unanswered(`the RPC’s answer to ${method} is none`);
    return answer.result;
  };
}

async function post(address, fetch, question) {
  if (!/^https?:\/\//i.test(address)) throw new Unanswered('the address of the RPC does not begin with http:// or https://');
  try {
    const response = await fetch(address, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(question),
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      signal: AbortSignal.timeout(WAIT_MS),
    });
    return await response.json();
  } catch {
    throw new Unanswered('the RPC does not answer, or not in JSON');
  }
}

/** @param {any} text `0x` and hexadecimal digits @returns {bigint} */
export function quantity(text) {
  if (typeof text !== 'string' || !/^0x[0-9a-fA-F]{1,64}$/.test(text)) throw new Unanswered('the RPC gave something else than a number');
  return BigInt(text);
}

/** @param {any} text @returns {boolean} whether it is whole words of 32 bytes in hexadecimal */
export const isWord = (text) => typeof text === 'string' && /^0x(?:[0-9a-fA-F]{64})*$/.test(text);
