/** Level 2: asks the RPC that the viewer chose, through a frame that holds nothing else. */
import { make } from './dom.js';

const PATIENCE_MS = 30000;

/**
 * Look an anchor up.
 * @param {import('../verify/result.d.ts').Proved['anchor']} anchor
 * @param {string} rpc
 * @param {import('../verify/result.d.ts').Policy|null} policy
 * @returns {Promise<import('../verify/result.d.ts').Lookup>}
 */
export function askChain(anchor, rpc, policy) {
  const frame = make('iframe', { hidden: true, title: 'Asks the RPC', tabIndex: -1, name: 'twinproof-rpc' });
  frame.sandbox = 'allow-scripts';
  frame.src = location.href.split('#')[0];
  return new Promise((resolve) => {
    const finish = (lookup) => {
      clearTimeout(timer);
      removeEventListener('message', listen);
      frame.remove();
      resolve(lookup);
    };
    const listen = ({ source, data }) => {
      if (source !== frame.contentWindow) return;
      // The frame's origin is opaque: it has no name that could stand in the place of '*'.
      if (data === 'ready') frame.contentWindow.postMessage({ anchor, rpc, policy }, '*');
      else finish(data);
    };
    const timer = setTimeout(() => finish({
      state: 'unknown', reason: 'the RPC did not answer within half a minute', block: null, chain: anchor.chain,
    }), PATIENCE_MS);
    addEventListener('message', listen);
    document.body.append(frame);
  });
}

/**
 * Read the address that somebody typed.
 * @param {string} typed
 * @returns {{rpc: string}|{problem: string}}
 */
export function readRpc(typed) {
  let url;
  try {
    url = new URL(typed.trim());
  } catch {
    return { problem: 'Enter the whole address of an RPC, with https:// or http://.' };
  }
  if (!['https:', 'http:'].includes(url.protocol)) return { problem: 'An RPC’s address begins with https:// or http://.' };
  if (url.username || url.password) return { problem: 'A browser can’t send a name and password in the address; use an RPC without.' };
  const near = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (location.protocol === 'https:' && url.protocol === 'http:' && !near) {
    return { problem: 'Browsers refuse http:// from a page with https://. Save this page and open it from disk, or use an RPC with https://.' };
  }
  return { rpc: url.href };
}
