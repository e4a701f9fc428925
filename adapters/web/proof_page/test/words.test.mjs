/** What the page says of results: the sentences alone, without a browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeFacts, describeWho, FIELDS } from '../src/page/facts.js';
import { describeLimits } from '../src/page/limits.js';
import { encodeCanonical } from '../src/verify/canonical.js';
import { FIELD_NAMES } from '../src/verify/fields.js';
import { verify } from '../src/verify/verify.js';
import {
  FIXED, FREE, KEY, makeBundle, PAID, PROMOTIONAL, REGISTERED,
} from './make_bundle.mjs';

const TELEGRAM = {
  slot: (s) => Object.assign(s, { platform: 'telegram', bot: '12', chat: '-34', thread: '56', message: '7' }),
  receipt: (r) => { r.numbering = 'platform'; },
};
const resultOf = (hooks, key) => verify({ bundle: encodeCanonical(makeBundle(hooks).bundle), key });

test('a fan is shown chat, thread and number, and that they can be compared', async () => {
  const result = await resultOf(TELEGRAM, KEY);
  const place = describeWho(result.proved).find(([name]) => name === 'Message');

  assert.deepEqual(place, ['Message', 'telegram, chat -34, thread 56, message 7', 'the operator’s word: compare it with the chat']);
  const facts = Object.fromEntries(describeFacts(result.proved));
  assert.deepEqual([facts.Bot, facts.Chat, facts.Thread, facts['Message number']], ['12', '-34', '56', '7']);
  assert.ok(describeLimits(result).some(([, why]) => why.includes('they stand above')));
});

test('without the key no place is shown', async () => {
  const result = await resultOf(TELEGRAM, null);

  assert.equal(describeWho(result.proved).find(([name]) => name === 'Message'), undefined);
  assert.ok(describeLimits(result).some(([, why]) => why.startsWith('The operator says so') && !why.includes('above')));
});

test('every claim of a result has its words, and every field its name', async () => {
  for (const hooks of [{}, TELEGRAM]) {
    const result = await resultOf(hooks, KEY);
    assert.equal(describeLimits(result).length, result.unproved.length);
  }
  assert.deepEqual(Object.keys(FIELDS).slice(0, -1), FIELD_NAMES);
});

const BACK = { outcome: (o) => { o.outcome = 'refunded'; }, outcomeCode: 4 };
const LOST = { outcome: (o) => { o.outcome = 'undelivered'; }, outcomeCode: 2 };
const TAKEN_BACK = { outcome: (o) => { o.outcome = 'withdrawn'; }, outcomeCode: 3 };
const WORD = 'the operator’s word';
const PAYER = `who paid is ${WORD}`;
const PRICES = [
  ['sponsor', {}, KEY, 'Paid from the operator’s budget: free for you', `0.002 TPT, of which the creator earns 0.0017; ${PAYER}`],
  ['sponsor, without the key', {}, null, 'Paid from the operator’s budget: free for the fan', `0.002 TPT, of which the creator earns 0.0017; ${PAYER}`],
  ['paid', PAID, KEY, 'Paid with your credit: 0.002 TPT, of which the creator earns 0.0017', `the operator keeps 0.0003; ${PAYER}`],
  ['paid, without the key', PAID, null, 'Paid with the fan’s credit: 0.002 TPT, of which the creator earns 0.0017', `the operator keeps 0.0003; ${PAYER}`],
  ['paid and given back', { ...PAID, ...BACK }, KEY, 'Nothing: given back', `0.002 TPT that came from your credit; ${WORD}`],
  ['paid and not delivered', { ...PAID, ...LOST }, KEY, 'Nothing: not delivered', `0.002 TPT from your credit would have paid for it; ${WORD}`],
  ['paid and withdrawn', { ...PAID, ...TAKEN_BACK }, KEY, 'Paid with your credit: 0.002 TPT, of which the creator earns 0.0017', `if it had been delivered before; the operator keeps 0.0003; ${PAYER}`],
  ['paid, and no outcome yet', { ...PAID, outcome: null }, KEY, 'Paid with your credit: 0.002 TPT, of which the creator earns 0.0017', `once it is delivered; the operator keeps 0.0003; ${PAYER}`],
  ['gift', PROMOTIONAL, KEY, 'Paid with a gift of the operator: the creator earns nothing from it', `0.002 TPT; ${PAYER}`],
  ['fixed', FIXED, KEY, 'Free', 'a fixed answer costs nothing'],
  ['free', FREE, KEY, 'Free', 'the creator has signed that this twin costs nothing'],
];
for (const [name, hooks, key, value, remark] of PRICES) {
  test(`who paid is said in words: ${name}`, async () => {
    const { proved } = await resultOf(hooks, key);

    assert.deepEqual(describeWho(proved).find(([row]) => row === 'Price'), ['Price', value, remark]);
  });
}

test('the details name terms, payer, rate table and registry block', async () => {
  const paid = Object.fromEntries(describeFacts((await resultOf(PAID, KEY)).proved));
  assert.equal(paid['Signed price and split'], '0.002 TPT per reply, 10 a day free; creator 85.00 %, operator 15.00 %');
  assert.equal(paid['Rate table of the credit'], '7a'.repeat(32));
  assert.match(paid['Whose money pays'], /credit that was bought.*the operator’s word/);
  assert.match(paid['Registry block'], /^none/);

  const registered = Object.fromEntries(describeFacts((await resultOf(REGISTERED, KEY)).proved));
  assert.match(registered['Registry block'], new RegExp(`^chain 84532 \\(Base Sepolia\\), block 19000000\n${'5e'.repeat(32)}\n.*operator says.*has not asked`));
  assert.match(registered['Rate table of the credit'], /^none/);
  assert.match(registered['Paid to'], /^0x[0-9a-fA-F]{40}, unless the registry/);
  assert.match(paid['Paid to'], /^0x[0-9a-fA-F]{40}$/);
});
