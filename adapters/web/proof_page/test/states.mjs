/**
 * Proofs in every state that the page can show, for tests that look at it in a browser.
 *
 *   node test/states.mjs      a JSON object: {name: {id, file, key, policy}}
 */
import { toBase64, toBase64Url, utf8 } from '../src/verify/bytes.js';
import { encodeCanonical } from '../src/verify/canonical.js';
import {
  CONTRACT, FIXED, FREE, KEY, makeBundle, NEXT, PAID, PROMOTIONAL, REGISTERED, STRANGER, WITNESS,
} from './make_bundle.mjs';

const attempt = (n, rejected) => ({
  fields: (f) => {
    f.reply.rejected = rejected;
    Object.assign(f.event, { regenerate: 'wish-1', replaces: '99'.repeat(32) });
  },
  receipt: (r) => { r.attempt = n; },
});
const halted = (finish) => (f) => {
  f.reply.finish = finish;
  f.event.halt = 'event-1';
};
const outcome = (name, outcomeCode) => ({ outcome: (o) => { o.outcome = name; }, outcomeCode });
const anchor = () => {};

const MADE = {
  good: {},
  stopped: { fields: halted('stopped') },
  cut: { fields: halted('cut'), ...outcome('refunded', 4) },
  undelivered: outcome('undelivered', 2),
  withdrawn: outcome('withdrawn', 3),
  refunded: outcome('refunded', 4),
  untold: { outcome: null },
  fixed: FIXED,
  paid: PAID,
  'paid-refunded': { ...PAID, ...outcome('refunded', 4) },
  promotional: PROMOTIONAL,
  free: FREE,
  registered: REGISTERED,
  again: attempt(2, 1),
  parts: { fields: (f) => { f.message.parts.push({ id: '8', text: 'And why?' }); } },
  'revoked-later': { revocation: (order, manifest) => { order.manifest = manifest; } },
  'revoked-before': { revocation: () => {}, order: 'before' },
  continued: { seals: [NEXT] },
  anchored: { anchor },
  witnessed: { anchor, cosign: [{ key: WITNESS }, { key: STRANGER }] },
};

const states = Object.fromEntries(Object.entries(MADE).map(([name, hooks]) => [name, state(makeBundle(hooks))]));

function state({ bundle, policy, receiptHash }, file = bundle, key = toBase64Url(KEY)) {
  return { id: toBase64Url(receiptHash.subarray(0, 16)), file: new TextDecoder().decode(encodeCanonical(file)), key, policy };
}

const good = makeBundle();
states.public = state(good, { ...good.bundle, sealed: null }, null);
states.disclosure = state(good, good.disclose(['turn', 'reply']), null);
states['wrong-key'] = { ...states.good, key: toBase64Url(utf8('x'.repeat(32))) };
const spoilt = structuredClone(good.bundle);
spoilt.receipt.signatures[0].sig = toBase64(new Uint8Array(64).fill(1));
states.spoilt = state(good, spoilt);
Object.assign(states.witnessed.policy, { witnesses: [WITNESS.vkey], needed: 1, anchors: [{ chain: 1, contract: CONTRACT }] });
console.log(JSON.stringify(states));
