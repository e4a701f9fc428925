/** What the page says of results: the sentences alone, without a browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeFacts, describeWho, FIELDS } from '../src/page/facts.js';
import { describeLimits } from '../src/page/limits.js';
import { encodeCanonical } from '../src/verify/canonical.js';
import { FIELD_NAMES } from '../src/verify/fields.js';
import { verify } from '../src/verify/verify.js';
import { KEY, makeBundle } from './make_bundle.mjs';

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
