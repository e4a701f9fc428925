/** The one part that speaks to an RPC: in a frame of its own, without the key, once. */
import { lookUp } from '../verify/anchor.js';
import { allowOnly } from './narrow.js';

/** Wait for the page's one question, ask, answer. */
export function answerOnce() {
  addEventListener('message', async ({ source, data }) => {
    if (source !== window.parent) return;
    const { anchor, rpc, policy } = data;
    allowOnly(new URL(rpc).origin);
    // A redirect would lead to a host that the viewer has not chosen.
    const ask = (address, options) => fetch(address, {
      ...options, redirect: 'error', credentials: 'omit', referrerPolicy: 'no-referrer', cache: 'no-store',
    });
    window.parent.postMessage(await lookUp({ anchor, rpc, policy, fetch: ask }), '*');
  }, { once: true });
  window.parent.postMessage('ready', '*');
}
