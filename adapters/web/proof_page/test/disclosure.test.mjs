/** Disclosures: chosen fields without the key (formats.md section 9.3). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../src/verify/bytes.js';
import { encodeCanonical } from '../src/verify/canonical.js';
import { verifyDisclosure } from '../src/verify/disclosure.js';
import { FIELD_NAMES } from '../src/verify/fields.js';
import { kindOf, verify } from '../src/verify/verify.js';
import { KEY, makeBundle, PERSONA } from './make_bundle.mjs';

const made = makeBundle();
const disclosed = (names, persona, change = () => {}) => {
  const value = structuredClone(made.disclose(names, persona));
  change(value);
  return encodeCanonical(value);
};
const failedStep = async (bytes, more = {}) => (await verifyDisclosure({ bundle: bytes, ...more })).failure?.step;

test('the fields that were chosen are shown, and no others', async () => {
  const result = await verifyDisclosure({ bundle: disclosed(['message', 'reply']), policy: made.policy });

  assert.equal(result.failure, null);
  assert.deepEqual(result.steps.map(({ state }) => state), [
    'passed', 'passed', 'passed', 'passed', 'passed', 'omitted', 'omitted', 'passed', 'passed', 'passed',
  ]);
  assert.deepEqual([result.kind, result.opened, result.proved.said, result.trust], ['disclosure', false, null, 'policy']);
  assert.deepEqual(result.proved.disclosure.fields.map(({ name }) => name), ['message', 'reply']);
  assert.equal(result.proved.disclosure.fields[1].value.text, 'About ships that come home late.');
  assert.ok(result.unproved.includes(15));
});

test('every field can be disclosed by itself, and so can the persona', async () => {
  for (const name of FIELD_NAMES) assert.equal(await failedStep(disclosed([name])), undefined, name);
  assert.equal(await failedStep(disclosed([], PERSONA)), undefined);
});

test('a claim about earlier turns belongs to every reply, whatever is shown of it', async () => {
  assert.ok((await verifyDisclosure({ bundle: disclosed(['spans']) })).unproved.includes(12));
  assert.ok((await verifyDisclosure({ bundle: disclosed(['turn']) })).unproved.includes(12));
});

const both = ['message', 'reply'];
for (const [name, names, persona, change, step] of [
  ['nothing', [], null, undefined, 1],
  ['fields in another order', both, null, (d) => d.fields.reverse(), 1],
  ['field twice', both, null, (d) => d.fields.push(d.fields[1]), 1],
  ['unknown field', both, null, (d) => { d.fields[0].name = 'mood'; }, 1],
  ['bundle that is not public', both, null, (d) => { d.bundle.sealed = made.bundle.sealed; }, 1],
  ['another version', both, null, (d) => { d.v = 'twinproof-disclosure/2'; }, 1],
  ['unknown member', both, null, (d) => { d.key = ''; }, 1],
  ['salt of another length', both, null, (d) => { d.fields[0].salt = 'AAAA'; }, 1],
  ['receipt that nobody signed', both, null, (d) => { d.bundle.receipt.signatures[0].sig = `${'A'.repeat(86)}==`; }, 2],
  ['other words', both, null, (d) => { d.fields[1].value.text += '!'; }, 5],
  ['other salt', both, null, (d) => { d.fields[0].salt = `${'A'.repeat(22)}==`; }, 5],
  ['path that lacks a hash', both, null, (d) => { d.fields[0].path.pop(); }, 5],
  ['path that is none', both, null, (d) => { d.fields[0].path = ['']; }, 5],
  ['path of 64 hashes', both, null, (d) => { d.fields[0].path = Array(64).fill(d.fields[0].path[0]); }, 5],
  ['value under another name', ['context', 'output'], null, (d) => { d.fields[0].name = 'context'; d.fields[0].value = d.fields[1].value; }, 5],
  ['value of another form', both, null, (d) => { d.fields[0].value = null; }, 5],
  ['persona of somebody else', [], { ...PERSONA, role: 'a king' }, undefined, 5],
  ['persona of another form', [], [], undefined, 5],
  ['reply that is not logged', both, null, (d) => { d.bundle.log.proof = d.bundle.log.proof.replace('index 2', 'index 3'); }, 8],
]) {
  test(`disclosure: ${name} fails step ${step}`, async () => assert.equal(await failedStep(disclosed(names, persona, change)), step));
}

test('a disclosure of another link, under another policy, or with a key, fails', async () => {
  assert.equal(await failedStep(disclosed(both), { key: KEY }), 5);
  assert.equal(await failedStep(disclosed(both), { receiptId: 'A'.repeat(22) }), 1);
  assert.equal(await failedStep(disclosed(both), { policy: { ...made.policy, logs: [] } }), 10);
});

test('files are told apart, and neither passes for the other', async () => {
  const [bundle, disclosure] = [encodeCanonical(made.bundle), disclosed(both)];

  assert.deepEqual([bundle, disclosure, utf8('nothing')].map(kindOf), ['bundle', 'disclosure', 'bundle']);
  assert.equal((await verify({ bundle: disclosure, key: KEY })).failure.step, 1);
  assert.equal(await failedStep(bundle), 1);
});
