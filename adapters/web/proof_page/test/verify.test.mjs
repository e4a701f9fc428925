import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex, utf8 } from '../src/verify/bytes.js';
import { encodeCanonical, parseCanonical } from '../src/verify/canonical.js';
import { verifyVrf } from '../src/verify/ecvrf.js';
import { firstRule, RULES, wordsOf } from '../src/verify/fixed_answers.js';
import { parseFragment, parseLink } from '../src/verify/link.js';
import { isIncluded, leafHash, merkleRoot, nodeHash } from '../src/verify/merkle.js';
import { verify } from '../src/verify/verify.js';
import {
  FIXED, FREE, KEY, makeBundle, PAID, pathOf, PROMOTIONAL, REGISTERED,
} from './make_bundle.mjs';

const text = (made) => encodeCanonical(made.bundle);
const failedStep = async (hooks, key = KEY) => (await verify({ bundle: text(makeBundle(hooks)), key })).failure?.step;
const both = (...hooks) => Object.assign({}, ...hooks);
const changed = (hooks, change) => ({ ...hooks, receipt: (r) => { hooks.receipt(r); change(r); } });

test('a genuine bundle reaches L1 and opens', async () => {
  const report = await verify({ bundle: text(makeBundle()), key: KEY });

  assert.equal(report.failure, null);
  assert.deepEqual(report.levels, ['L0', 'L1-unwitnessed']);
  assert.equal(report.trust, 'self-consistent');
  assert.equal(report.proved.said.reply, 'About ships that come home late.');
  assert.equal(report.proved.said.message, 'What do you sing about?');
  assert.deepEqual(report.proved.outcome, { outcome: 'delivered', index: 3 });
  assert.deepEqual(report.proved.price, {
    nano: 2000000, token: 'TPT', creatorNano: 1700000, operatorNano: 300000, payer: 'sponsor', rateTable: null, text: '0.002 TPT',
  });
  assert.deepEqual(report.proved.terms, { price: '0.002 TPT per reply, 10 a day free', split: 'creator 85.00 %, operator 15.00 %' });
  assert.deepEqual(report.unproved, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 17]);
});

test('without the key the steps that need it are hidden', async () => {
  const report = await verify({ bundle: text(makeBundle()) });

  assert.equal(report.failure, null);
  assert.deepEqual(report.steps.map(({ state }) => state), [
    'passed', 'passed', 'passed', 'passed', 'hidden', 'hidden', 'hidden', 'passed', 'passed', 'absent',
  ]);
  assert.equal(report.opened, false);
  assert.equal(report.proved.said, null);
  assert.deepEqual(report.unproved, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 17]);
});

test('nothing that came with a false bundle leaves the verifier', async () => {
  const report = await verify({ bundle: text(makeBundle({ receipt: (r) => { r.price.nano += 1; } })), key: KEY });

  assert.equal(report.verdict, 'failed');
  assert.deepEqual([report.failure.step, report.proved, report.unproved, report.levels, report.trust], [4, null, [], [], null]);
  assert.deepEqual(report.steps.map(({ state }) => state).slice(2, 6), ['passed', 'failed', 'skipped', 'skipped']);
});

test('a policy lifts self-consistent, and a foreign one fails step 10', async () => {
  const made = makeBundle();

  assert.equal((await verify({ bundle: text(made), key: KEY, policy: made.policy })).trust, 'policy');
  const foreign = { ...made.policy, creators: [`0x${'11'.repeat(20)}`] };
  assert.equal((await verify({ bundle: text(made), key: KEY, policy: foreign })).failure.step, 10);
});

const second = (receipt) => { receipt.attempt = 1; };
const again = (fields) => { fields.event = { halt: null, regenerate: 'e1', replaces: '12'.repeat(32) }; };
const halt = (fields, finish) => {
  fields.reply.finish = finish;
  fields.event.halt = 'e2';
};
/** The twin has said to another message what it says now. */
const repeat = (fields) => { fields.output.tokens = [13]; fields.counts.output = 1; };
const attempt = (n) => ({ receipt: (r) => { r.attempt = n; } });
const redraw = (fields, rejected = 1) => { fields.reply.rejected = rejected; };
const output = (fields, tokens) => { fields.output.tokens = tokens; fields.counts.output = tokens.length; };
/** No earlier turn is quoted. */
const alone = (fields) => {
  fields.spans.splice(1, 2);
  fields.context.tokens.splice(4, 4);
  fields.counts.context = 7;
};
const leftOut = (fields, tokens = 58) => { alone(fields); fields.choice.older = { receipt: fields.turn.previous, tokens }; };
const fixed = (change) => both(FIXED, { fields: (f) => { FIXED.fields(f); change(f); } });
const fixedReceipt = (change) => both(FIXED, { receipt: (r) => { FIXED.receipt(r); change(r); } });

/** A place as a platform says it; `lie` says it in the fields otherwise than the seed has it. */
const PLACES = {
  discord: { platform: 'discord', bot: '12', chat: '34', thread: '', message: '7' },
  telegram: { platform: 'telegram', bot: '12', chat: '-34', thread: '56', message: '7' },
  web: { platform: 'web', bot: 'local', chat: 'a fan', thread: '', message: '7' },
};
const at = (platform, change = {}) => ({
  slot: (s) => Object.assign(s, PLACES[platform], change),
  fields: (f) => { f.message.parts[0].id = f.slot.message; },
  receipt: (r) => { r.numbering = platform === 'web' ? 'operator' : 'platform'; },
});

const LIES = [
  ['leaf of fewer rejected attempts', { fields: (f) => redraw(f), ...attempt(1), leaf: (l) => { l[51] = 0; } }, 8],
  ['leaf of more rejected attempts', { leaf: (l) => { l[51] = 1; } }, 8],
  ['eleven fields', { receipt: (r) => { r.fields.count = 11; } }, 1],
  ['VRF proof in the open', { receipt: (r) => { r.seed.vrf_proof = `${'A'.repeat(106)}==`; } }, 1],
  ['short VRF proof', { fields: (f) => { f.seed.vrf_proof = 'AAAA'; } }, 5],
  ['false VRF proof', { fields: (f) => { f.seed.vrf_proof = `${'A'.repeat(106)}8=`; } }, 6],
  ['persona without tokens', { fields: (f) => { f.spans[0].tokens = []; f.context.tokens.splice(1, 2); f.counts.context = 9; } }, 5],
  ['message without tokens', { fields: (f) => { f.spans[3].tokens = []; f.context.tokens.splice(8, 2); f.counts.context = 9; } }, 5],
  ['turn of more tokens than there can be', { fields: (f) => leftOut(f, 262145) }, 5],
  ['text that no token gives', { fields: (f) => output(f, []) }, 7],
  ['outcome that names the receipt’s hash', { outcome: (o, hash) => { o.receipt = hash; } }, 9],
  ['chat of Discord with a sign', at('discord', { chat: '-34' }), 6],
  ['chat of Telegram with a plus', at('telegram', { chat: '+34' }), 6],
  ['bot with a leading zero', at('discord', { bot: '012' }), 6],
  ['bot of 21 digits', at('discord', { bot: '1'.repeat(21) }), 6],
  ['thread that is a name', at('discord', { thread: 'general' }), 6],
  ['message in other digits', at('discord', { message: '\u0667' }), 6],
  ['message with a newline', at('telegram', { message: '7\n' }), 6],
  ['empty message number', at('telegram', { message: '' }), 6],
  ['another bot on the web', at('web', { bot: 'nova' }), 6],
  ['receipt of another operator', { receipt: (r) => { r.operator = '00'.repeat(32); } }, 2],
  ['receipt with an unknown member', { receipt: (r) => { r.extra = 1; } }, 1],
  ['other manifest', { receipt: (r) => { r.manifest = '00'.repeat(32); } }, 3],
  ['other twin in manifest', { manifest: (m) => { m.twin = '00'.repeat(32); } }, 3],
  ['other creator in manifest', { manifest: (m) => { m.creator = m.payout; } }, 3],
  ['split beyond the whole', { manifest: (m) => { m.split.creator_bp = 9000; } }, 1],
  ['turn one with a past', { fields: (f) => { f.turn.n = 1; } }, 5],
  ['more turns than there were', { fields: (f) => { f.turn = { n: 1, previous: null }; } }, 7],
  ['one receipt for two turns', { fields: (f) => { f.turn.n = 3; f.spans.splice(3, 0, f.spans[1], f.spans[2]); f.context.tokens.splice(8, 0, 12, 3, 13, 4); f.counts.context = 15; } }, 7],
  ['reply after the manifest ended', { receipt: (r) => { r.time = '2028-01-01T00:00:00Z'; } }, 4],
  ['higher price', { receipt: (r) => { r.price.nano += 1; } }, 4],
  ['other model', { receipt: (r) => { r.model.gguf = '00'.repeat(32); } }, 4],
  ['operator keeps more', { receipt: (r) => { r.price.creator_nano -= 1; r.price.operator_nano += 1; } }, 4],
  ['other field root', { receipt: (r) => { r.fields.root = '00'.repeat(32); } }, 5],
  ['salt of its own choosing', { salts: (f) => { f[3].salt = 'AAAAAAAAAAAAAAAAAAAAAA=='; } }, 5],
  ['other persona', { manifest: (m) => { m.persona = '00'.repeat(32); } }, 5],
  ['other slot', { fields: (f) => { f.slot.message = '8'; f.message.parts[0].id = '8'; } }, 6],
  ['first part of another message', { fields: (f) => { f.slot.message = '8'; } }, 5],
  ['part twice', { fields: (f) => { f.message.parts.push(f.message.parts[0]); } }, 5],
  ['no part', { fields: (f) => { f.message.parts = []; } }, 5],
  ['seventeen parts', { fields: (f) => { f.message.parts.push(...[...Array(16).keys()].map((n) => ({ id: `x${n}`, text: '' }))); } }, 5],
  ['halted, and nobody did it', { fields: (f) => { f.reply.finish = 'stopped'; } }, 5],
  ['ended, and somebody halted it', { fields: (f) => { f.event.halt = 'e1'; } }, 5],
  ['event with an empty id', { fields: (f) => { again(f); f.event.regenerate = ''; }, receipt: second }, 5],
  ['event with an id of 201 characters', { fields: (f) => { again(f); f.event.regenerate = 'x'.repeat(201); }, receipt: second }, 5],
  ['wish that replaces nothing', { fields: (f) => { f.event.regenerate = 'e1'; }, receipt: second }, 5],
  ['second attempt that nobody wished for', { receipt: second }, 6],
  ['wish at the first attempt', { fields: again }, 6],
  ['replaced reply is the previous turn', { fields: (f) => { again(f); f.event.replaces = f.turn.previous; }, receipt: second }, 7],
  ['stopped before the first token', { fields: (f) => { halt(f, 'stopped'); output(f, []); } }, 7],
  ['cut off at the longest output', { fields: (f) => { halt(f, 'cut'); output(f, Array(8).fill(20)); } }, 7],
  ['other slot tag', { receipt: (r) => { r.seed.slot_tag = '00'.repeat(16); } }, 6],
  ['platform that numbers itself', { receipt: (r) => { r.numbering = 'platform'; } }, 6],
  ['hidden span', { fields: (f) => { f.context.tokens.splice(4, 0, 99); } }, 7],
  ['two messages', { fields: (f) => { f.spans.push(f.spans[3]); } }, 7],
  ['output too long', { fields: (f) => { output(f, Array(9).fill(20)); } }, 7],
  ['length without reaching it', { fields: (f) => { f.reply.finish = 'length'; } }, 7],
  ['commitment to nine fields', { receipt: (r) => { r.fields.count = 9; } }, 1],
  ['manifest of version 1', { manifest: (m) => { m.v = 'twinproof-manifest/1'; } }, 1],
  ['receipt of version 1', { receipt: (r) => { r.v = 'twinproof-receipt/1'; } }, 1],
  ['rule that nobody knows', { manifest: (m) => { m.rules = ['sport/1']; } }, 1],
  ['rule twice', { manifest: (m) => { m.rules = ['crisis/1', 'crisis/1']; } }, 1],
  ['five redraws', { manifest: (m) => { m.filter.redraws = 5; } }, 1],
  ['knowledge', { manifest: (m) => { m.knowledge = []; } }, 1],
  ['filter of version 1', { manifest: (m) => { m.filter.policy = 'stop/1'; } }, 1],
  ['payer that nobody knows', { receipt: (r) => { r.payer = 'fan'; } }, 1],
  ['no payer', { receipt: (r) => { r.payer = null; } }, 1],
  ['price without free replies', { receipt: (r) => { delete r.price.free_daily; } }, 1],
  ['terms without free replies', { manifest: (m) => { delete m.price.free_daily; } }, 1],
  ['terms with 10001 free replies', { manifest: (m) => { m.price.free_daily = 10001; } }, 1],
  ['fewer than no free replies', { manifest: (m) => { m.price.free_daily = -1; } }, 1],
  ['operator who takes more than 30 %', { manifest: (m) => { m.split = { creator_bp: 6999, operator_bp: 3001 }; } }, 1],
  ['rate table that is no hash', changed(PAID, (r) => { r.rate_table = '7a'; }), 1],
  ['registry block of chain 0', changed(REGISTERED, (r) => { r.registry_block.chain = 0; }), 1],
  ['registry block without its hash', changed(REGISTERED, (r) => { delete r.registry_block.hash; }), 1],
  ['registry block before the first', changed(REGISTERED, (r) => { r.registry_block.number = -1; }), 1],
  ['registry block with a contract', changed(REGISTERED, (r) => { r.registry_block.contract = `0x${'11'.repeat(20)}`; }), 1],
  ['other number of free replies', { receipt: (r) => { r.price.free_daily = 9; } }, 4],
  ['more free replies than any terms', { receipt: (r) => { r.price.free_daily = 10001; } }, 4],
  ['reply with a price that nobody pays', { receipt: (r) => { r.payer = 'free'; } }, 4],
  ['reply with a price, for nothing', { receipt: (r) => { r.payer = 'free'; Object.assign(r.price, { nano: 0, creator_nano: 0, operator_nano: 0 }); } }, 4],
  ['free twin that a budget pays for', { ...FREE, receipt: () => {} }, 4],
  ['free twin that bought credit pays for', { ...FREE, ...PAID }, 4],
  ['free twin that costs', changed(FREE, (r) => { r.price.nano = 1; r.price.operator_nano = 1; }), 4],
  ['bought credit without a rate table', changed(PAID, (r) => { r.rate_table = null; }), 4],
  ['bought credit, and nothing for the creator', both(PROMOTIONAL, { receipt: (r) => { PAID.receipt(r); PROMOTIONAL.receipt(r); r.payer = 'paid'; } }), 4],
  ['rate table where a budget pays', { receipt: (r) => { r.rate_table = '00'.repeat(32); } }, 4],
  ['rate table where a gift pays', changed(PROMOTIONAL, (r) => { r.rate_table = '00'.repeat(32); }), 4],
  ['rate table of a fixed answer', fixedReceipt((r) => { r.rate_table = '00'.repeat(32); }), 4],
  ['gift of which the creator earns', { receipt: (r) => { r.payer = 'promotional'; } }, 4],
  ['gift of which the operator earns', changed(PROMOTIONAL, (r) => { r.price.operator_nano = r.price.nano; }), 4],
  ['gift that costs nothing', changed(PROMOTIONAL, (r) => { r.price.nano = 0; }), 4],
  ['fixed answer that a budget pays for', fixedReceipt((r) => { r.payer = 'sponsor'; }), 4],
  ['fixed answer with other free replies', fixedReceipt((r) => { r.price.free_daily = 0; }), 4],
  ['reply with a rule', { receipt: (r) => { r.rule = 'crisis/1'; } }, 1],
  ['fixed answer without a rule', fixedReceipt((r) => { r.rule = null; }), 1],
  ['fixed answer by a rule that was not signed', both(FIXED, { manifest: (m) => { m.rules = []; } }), 4],
  ['fixed answer that costs', fixedReceipt((r) => { r.price.nano = 2000000; r.price.creator_nano = 1700000; r.price.operator_nano = 300000; }), 4],
  ['fixed answer in another money', fixedReceipt((r) => { r.price.token = 'EUR'; }), 4],
  ['fixed answer as a second attempt', fixedReceipt((r) => { r.attempt = 1; }), 4],
  ['openings without counts', { fields: (f) => { delete f.counts; } }, 5],
  ['choice that begins before the first turn', { fields: (f) => { f.choice.start = 0; } }, 5],
  ['turn of no tokens that did not fit', { fields: (f) => leftOut(f, 0) }, 5],
  ['five attempts rejected', { fields: (f) => redraw(f, 5), ...attempt(5) }, 5],
  ['more rejected than attempted', { fields: (f) => redraw(f) }, 6],
  ['rejected attempt, and a wish too', { fields: (f) => { again(f); redraw(f); }, ...attempt(1) }, 6],
  ['attempt after rejected ones that nobody wished for', { fields: (f) => redraw(f), ...attempt(2) }, 6],
  ['fixed answer after a rejected attempt', fixed((f) => redraw(f)), 6],
  ['fixed answer that a fan wished for', fixed((f) => { again(f); }), 6],
  ['fixed answer with spans', fixed((f) => { f.spans = [{ kind: 'persona', receipt: null, tokens: [10] }]; }), 7],
  ['fixed answer with output', fixed((f) => output(f, [20])), 7],
  ['fixed answer with counts', fixed((f) => { f.counts.context = 1; }), 7],
  ['fixed answer that ends as a reply', fixed((f) => { f.reply.finish = 'end'; }), 7],
  ['fixed answer that begins another chain', fixed((f) => { f.choice.start = 1; }), 7],
  ['fixed answer that left a turn out', fixed((f) => { f.choice.older = { receipt: f.turn.previous, tokens: 9 }; }), 7],
  ['fixed answer to any message', fixed((f) => { f.message.parts[0].text = 'Hello'; }), 7],
  ['fixed answer in other words', fixed((f) => { f.reply.text += ' '; }), 7],
  ['model asked where a fixed answer belongs', { fields: (f) => { f.message.parts[0].text = 'suicide'; } }, 7],
  ['reply that ends as a fixed answer', { fields: (f) => { f.reply.finish = 'fixed'; } }, 7],
  ['repeated reply that was kept', { fields: repeat }, 7],
  ['rejected without a cause', { fields: (f) => { redraw(f); alone(f); f.choice.start = 2; }, ...attempt(1) }, 7],
  ['rejected because of the same question', { fields: (f) => { redraw(f); f.spans[1].tokens = [14, 15]; f.context.tokens.splice(4, 1, 14, 15); f.counts.context = 12; }, ...attempt(1) }, 7],
  ['more rejected than the creator allows', { fields: (f) => redraw(f, 3), ...attempt(3) }, 7],
  ['other count of the context', { fields: (f) => { f.counts.context += 1; } }, 7],
  ['other count of the output', { fields: (f) => { f.counts.output += 1; } }, 7],
  ['turn kept back without saying so', { fields: alone }, 7],
  ['turn kept back that would have fitted', { fields: (f) => leftOut(f, 57) }, 7],
  ['turn left out, and none was missing', { fields: (f) => { f.choice.older = { receipt: '12'.repeat(32), tokens: 60 }; } }, 7],
  ['quoted turn left out', { fields: (f) => { f.turn.n = 3; f.choice.older = { receipt: f.turn.previous, tokens: 60 }; } }, 7],
  ['another turn left out than the previous one', { fields: (f) => { leftOut(f); f.choice.older.receipt = '12'.repeat(32); } }, 7],
  ['replaced reply left out', { fields: (f) => { again(f); f.turn.n = 3; f.choice.older = { receipt: f.event.replaces, tokens: 60 }; }, ...attempt(1) }, 7],
  ['spans without a message', { fields: (f) => { f.spans.pop(); f.context.tokens.splice(8, 2); f.counts.context = 9; } }, 7],
  ['context longer than the window', { manifest: (m) => { m.rendering.window_tokens = 10; } }, 7],
  ['more pairs than turns before', { fields: (f) => { f.turn.n = 2; f.spans.splice(1, 0, { ...f.spans[1], receipt: '12'.repeat(32) }, { ...f.spans[2], receipt: '12'.repeat(32) }); f.context.tokens.splice(4, 0, 12, 3, 13, 4); f.counts.context = 15; } }, 7],
  ['pair whose halves cite two receipts', { fields: (f) => { f.spans[1].receipt = '12'.repeat(32); } }, 7],
  ['ended by itself at the limit', { fields: (f) => output(f, Array(8).fill(20)) }, 7],
  ['stopped by no stop string', { fields: (f) => { f.reply.finish = 'stop'; }, manifest: (m) => { m.filter.stop_strings = []; } }, 7],
  ['stopped by a stop string in nothing', { fields: (f) => { f.reply.finish = 'stop'; output(f, []); } }, 7],
  ['stop token in the output', { fields: (f) => output(f, [20, 0]) }, 7],
  ['stop token in an earlier reply', { fields: (f) => { f.spans[2].tokens = [0]; f.context.tokens[6] = 0; } }, 7],
  ['stop string in the text', { fields: (f) => { f.reply.text = 'Aye\nFan: and?'; } }, 7],
  ['empty text', { fields: (f) => { f.reply.text = ''; } }, 5],
  ['key that the manifest does not name', { manifest: (m) => { m.operator.signing_key = m.operator.vrf_key; } }, 2],
  ['other twin in the receipt', { receipt: (r) => { r.twin = '00'.repeat(32); } }, 4],
  ['other library', { receipt: (r) => { r.model.library += 'x'; } }, 4],
  ['chain that begins after this turn', { fields: (f) => { alone(f); f.choice.start = 3; } }, 7],
  ['turn quoted from before the chain', { fields: (f) => { f.choice.start = 2; } }, 7],
  ['leaf of another manifest', { leaf: (l) => { l[66] ^= 1; } }, 8],
  ['valid from the year 0', { manifest: (m) => { m.valid_from = '0000-01-01T00:00:00Z'; } }, 1],
  ['name of two lines', { manifest: (m) => { m.name = 'Nova\nprice: 0'; } }, 1],
  ['name with an override', { manifest: (m) => { m.name = 'Nova\u202e'; } }, 1],
  ['blank model name', { manifest: (m) => { m.model.name = '\u3000'; } }, 1],
  ['library with a hidden space', { manifest: (m) => { m.engine.library += '\u200b'; } }, 1],
  ['VRF key of order 4', { manifest: (m) => { m.operator.vrf_key = '00'.repeat(32); } }, 1],
  ['identity as signing key', { manifest: (m) => { m.operator.signing_key = `01${'00'.repeat(31)}`; } }, 1],
  ['other spelling of the identity', { manifest: (m) => { m.operator.signing_key = `ee${'ff'.repeat(30)}7f`; } }, 1],
  ['unknown platform', { fields: (f) => { f.slot.platform = 'Web'; } }, 6],
  ['history of another conversation', { fields: (f) => { f.turn.previous = 'ef'.repeat(32); } }, 7],
  ['leaf of a second attempt', { leaf: (l) => { l[50] = 1; } }, 8],
  ['leaf of another receipt', { leaf: (l) => { l[5] ^= 1; } }, 8],
  ['other root', { checkpoint: (c) => { c.root = new Uint8Array(32); } }, 8],
  ['other size', { checkpoint: (c) => { c.size = 9; } }, 8],
  ['other log', { checkpoint: (c) => { c.origin = 'other.example/log'; } }, 8],
  ['outcome of another reply', { outcome: (o) => { o.receipt = '00'.repeat(32); } }, 9],
  ['other outcome than logged', { outcome: (o) => { o.outcome = 'refunded'; } }, 9],
];
for (const [name, hooks, step] of LIES) {
  test(`${name} fails step ${step}`, async () => assert.equal(await failedStep(hooks), step));
}

const TRUTHS = [
  ['message on Discord', at('discord')],
  ['longest identifiers', at('discord', { bot: '9'.repeat(20), chat: '9'.repeat(20), thread: '9'.repeat(20), message: '9'.repeat(20) })],
  ['message in a thread of a group on Telegram', at('telegram')],
  ['message on the web in a chat of any name', at('web', { chat: 'a fan\n', thread: 'é' })],
  ['turn of as many tokens as there can be', { fields: (f) => leftOut(f, 262144) }],
  ['chain that begins anew, without pairs', { fields: (f) => { f.turn.n = 9; alone(f); f.choice.start = 9; } }],
  ['turn that did not fit', { fields: (f) => leftOut(f) }],
  ['older turn that did not fit', { fields: (f) => { f.turn.n = 3; f.choice.older = { receipt: '12'.repeat(32), tokens: 54 }; } }],
  ['reply drawn again', { fields: (f) => redraw(f), ...attempt(1) }],
  ['wish, then a reply drawn again', { fields: (f) => { again(f); redraw(f); }, ...attempt(2) }],
  ['repeated reply after all redraws', { fields: (f) => { repeat(f); redraw(f, 2); }, ...attempt(2) }],
  ['repeated reply that the fan stopped', { fields: (f) => { repeat(f); halt(f, 'stopped'); } }],
  ['repeated reply where the creator allows it', { fields: repeat, manifest: (m) => { m.filter.redraws = 0; } }],
  ['same reply to the same question', { fields: (f) => { repeat(f); f.spans[1].tokens = [14, 15]; f.context.tokens.splice(4, 1, 14, 15); f.counts.context = 12; } }],
  ['empty reply after an empty one', { fields: (f) => { output(f, []); f.reply.text = '…'; f.spans[2].tokens = []; f.context.tokens.splice(6, 1); f.counts.context = 10; } }],
  ['fixed answer', FIXED],
  ['message that a rule would answer, without the rule', { fields: (f) => { f.message.parts[0].text = 'suicide'; }, manifest: (m) => { m.rules = []; } }],
  ['reply without outcome', { outcome: null }],
  ['reply that bought credit pays for', PAID],
  ['reply that a gift pays for', PROMOTIONAL],
  ['reply of a free twin', FREE],
  ['fixed answer of a free twin', { ...FIXED, manifest: FREE.manifest }],
  ['reply of a twin that was looked up in a registry', REGISTERED],
  ['registry block that is the first', changed(REGISTERED, (r) => { r.registry_block.number = 0; })],
  ['share that is rounded in the operator’s favour', { manifest: (m) => { m.price.nano = 9; m.split = { creator_bp: 8501, operator_bp: 1499 }; } }],
  ['price beyond what a double multiplies', { manifest: (m) => { m.price.nano = Number.MAX_SAFE_INTEGER; }, receipt: (r) => Object.assign(r.price, { creator_nano: 7656119366529842, operator_nano: 1351079888211149 }) }],
  ['operator who takes 30 %', { manifest: (m) => { m.split = { creator_bp: 7000, operator_bp: 3000 }; } }],
  ['most free replies', { manifest: (m) => { m.price.free_daily = 10000; } }],
];
for (const [name, hooks] of TRUTHS) {
  test(`${name} is accepted`, async () => assert.equal(await failedStep(hooks), undefined));
}

test('a fixed answer says its rule, costs nothing and asks no model', async () => {
  const { proved, unproved } = await verify({ bundle: text(makeBundle(FIXED)), key: KEY });

  assert.deepEqual([proved.receipt.type, proved.receipt.rule, proved.price.text], ['fixed', 'crisis/1', '0 TPT']);
  assert.equal(proved.said.reply, RULES.rules[0].text);
  assert.deepEqual(unproved, [1, 3, 4, 5, 6, 7, 8, 9, 10, 16, 17]);
});

test('each claim belongs to the results that need it', async () => {
  const claims = async (hooks, key = KEY) => (await verify({ bundle: text(makeBundle(hooks)), key })).unproved;

  assert.ok((await claims({ fields: again, receipt: second })).includes(14));
  assert.ok((await claims({ fields: again, receipt: second }, null)).includes(14));
  assert.ok((await claims({ fields: (f) => halt(f, 'cut') })).includes(14));
  assert.ok((await claims({ receipt: (r) => { r.model.verdict = 'tolerant'; } })).includes(13));
  assert.ok(!(await claims({ outcome: null })).includes(8));
  const platform = await claims({ receipt: (r) => { r.numbering = 'platform'; } }, null);
  assert.deepEqual([platform.includes(10), platform.includes(11)], [false, true]);
});

for (const [message, applies] of [
  ['I want to die', true], ['I WANT   to-die!', true], ['I want to die laughing', false], ['want to die laughing, want to die', true],
  ['suicide', true], ['Suicide Squad', false], ['suicides', false], ['I don’t want to live', true], ["I don't want to live", true],
  ['I don`t want to live', false], ['\u212aill myself', false], ['kill\nmyself', true], ['cut myself a slice of suicide', true], ['', false],
]) {
  test(`crisis/1 ${applies ? 'answers' : 'leaves'} ${JSON.stringify(message)}`, () => (
    assert.equal(firstRule(['crisis/1'], message), applies ? 'crisis/1' : null)
  ));
}

test('words are runs of small ASCII letters without apostrophes', () => {
  assert.deepEqual(wordsOf("Don't, d’OH x9y \u017fo"), ['dont', 'doh', 'x', 'y', 'o']);
  assert.equal(firstRule([], 'suicide'), null);
});

test('a public bundle has nothing that a key can open', async () => {
  const made = makeBundle({ bundle: (b) => { b.sealed = null; } });

  assert.equal((await verify({ bundle: text(made) })).failure, null);
  assert.equal((await verify({ bundle: text(made), key: KEY })).failure.step, 5);
});

test('without the key the log may say any number of rejected attempts that is allowed', async () => {
  const says = (rejected) => ({ leaf: (l) => { l[51] = rejected; } });

  for (const rejected of [0, 1, 4]) assert.equal(await failedStep(says(rejected), null), undefined);
  assert.equal(await failedStep(says(5), null), 8);
});

test('the place of the message is told, so that a fan can compare it', async () => {
  const { proved } = await verify({ bundle: text(makeBundle(at('telegram'))), key: KEY });

  assert.deepEqual(proved.said.slot, PLACES.telegram);
});

test('a wrong key fails step 5', async () => assert.equal(await failedStep({}, new Uint8Array(32)), 5));

test('every flipped byte is noticed', async () => {
  const bytes = text(makeBundle());
  for (let at = 0; at < bytes.length; at += 97) {
    const damaged = bytes.slice();
    damaged[at] ^= 1;
    const { failure } = await verify({ bundle: damaged, key: KEY });
    assert.notEqual(failure, null, `byte ${at}`);
  }
});

test('a bundle of another link fails step 1', async () => {
  const { failure } = await verify({ bundle: text(makeBundle()), key: KEY, receiptId: 'A'.repeat(22) });

  assert.equal(failure.step, 1);
});

test('RFC 9381 example 16', () => {
  const key = fromHex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  const proof = fromHex('8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f26f8a57ccaed74ee1b190bed1f479d97'
    + '27d2d0f9b005a6e456a35d4fb0daab1268a1b0db10836d9826a528ca76567805');
  const beta = '90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff66b71dda49d2de59d03450451af026798'
    + 'e8f81cd2e333de5cdf4f3e140fdd8ae';

  assert.equal(toHex(verifyVrf(key, new Uint8Array(0), proof)), beta);
  assert.equal(verifyVrf(key, Uint8Array.of(1), proof), null);
});

test('inclusion holds for every leaf of trees up to seventeen, and for no other index', () => {
  for (let size = 1; size <= 17; size += 1) {
    const leaves = Array.from({ length: size }, (_, i) => Uint8Array.of(i));
    for (let index = 0; index < size; index += 1) {
      const path = pathOf(leaves, index);
      for (let claimed = 0; claimed < size; claimed += 1) {
        assert.equal(isIncluded(leaves[index], claimed, size, path, merkleRoot(leaves)), claimed === index);
      }
    }
  }
});

test('a node is no leaf', () => {
  const [a, b] = [leafHash(Uint8Array.of(1)), leafHash(Uint8Array.of(2))];

  assert.notEqual(toHex(nodeHash(a, b)), toHex(leafHash(new Uint8Array([...a, ...b]))));
});

for (const wrong of ['{"a":1 }', '{"b":1,"a":2}', '{"a":1,"a":1}', '[1.0]', '[1e3]', '[-0]', '[9007199254740992]',
  '"\\u0041"', '"\\ud800"', '\ufeff[]', '[0.5]', '']) {
  test(`not canonical: ${JSON.stringify(wrong)}`, () => assert.throws(() => parseCanonical(utf8(wrong))));
}

test('links and keys as people paste them', () => {
  const { link } = makeBundle();
  const [, key] = link.split('#k=');

  assert.deepEqual(parseLink(link).key, KEY);
  assert.equal(parseLink(link).receiptId.length, 22);
  assert.deepEqual(parseLink(key), { receiptId: null, key: KEY });
  assert.deepEqual(parseLink(`reply.json#k=${key}`), { receiptId: null, key: KEY });
  assert.throws(() => parseFragment(`k=${key.slice(1)}`));
});
