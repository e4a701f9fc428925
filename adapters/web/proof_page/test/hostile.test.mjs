/** Bundles that were made to break a verifier: it says at which step, and never throws. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCanonical } from '../src/verify/canonical.js';
import { verify } from '../src/verify/verify.js';
import { KEY, makeBundle } from './make_bundle.mjs';

const text = (made) => encodeCanonical(made.bundle);
const failedStep = async (hooks) => (await verify({ bundle: text(makeBundle(hooks)), key: KEY })).failure?.step;

test('a context that would fill all memory is never built', async () => {
  const receipt = (i) => i.toString(16).padStart(64, '0');
  const pair = (i) => ['fan', 'twin'].map((kind) => ({ kind, receipt: receipt(i), tokens: [] }));
  const made = makeBundle({
    manifest: (m) => Object.assign(m.rendering, { fan_to_twin: Array(30000).fill(1), twin_to_fan: Array(30000).fill(1) }),
    fields: (f) => { f.spans.splice(1, 2, ...Array.from({ length: 3000 }, (_, i) => pair(i)).flat()); },
  });
  const { failure } = await verify({ bundle: text(made), key: KEY });

  assert.deepEqual([failure.step, failure.reason], [7, 'the context is longer than the window']);
});

test('what nobody has thought of fails the step that was running', async () => {
  const { bundle } = makeBundle();
  const unreadable = new Uint8Array(8);
  Object.defineProperty(unreadable, 'length', { get: () => { throw new RangeError('too long'); } });
  const unusable = Object.defineProperty(new Uint8Array(32), 'length', { get: () => { throw new TypeError('no key'); } });

  const first = await verify({ bundle: unreadable });
  assert.deepEqual([first.failure, first.proved], [{ step: 1, reason: 'the check could not be finished (RangeError)' }, null]);
  const fifth = await verify({ bundle: encodeCanonical(bundle), key: unusable });
  assert.deepEqual([fifth.failure.step, fifth.steps[5].state], [5, 'skipped']);
  for (const bytes of [null, 7, {}]) assert.equal((await verify({ bundle: bytes })).failure.step, 1);
});

test('text that stands for no bytes fails step 1, wherever it is', async () => {
  const file = new TextDecoder().decode(text(makeBundle()));

  assert.equal((await verify({ bundle: file, key: KEY })).failure, null);
  assert.equal((await verify({ bundle: file.replace('tlog-proof@v1', 'tlog-proof\udcff@v1'), key: KEY })).failure.step, 1);
});

test('types and signatures beyond the limits fail step 1', async () => {
  const spoilt = async (change) => failedStep({ bundle: change });

  assert.equal(await spoilt((b) => { b.receipt.payloadType = 'x'.repeat(65537); }), 1);
  assert.equal(await spoilt((b) => { b.outcome.statement.payloadType = 'x'.repeat(65537); }), 1);
  assert.equal(await spoilt((b) => { b.outcome.statement.signatures[0].sig = 'AAAA'; }), 1);
  assert.equal(await spoilt((b) => { b.receipt.signatures[0].sig = 'AAAA'; }), 1);
  assert.equal(await spoilt((b) => { b.manifest.signature += '00'; }), 1);
});
