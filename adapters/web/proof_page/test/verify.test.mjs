import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeFan, describeLimits, describeReply, describeStep } from '../src/page/words.js';
import { fromHex, toBase64, toHex, utf8 } from '../src/verify/bytes.js';
import { encodeCanonical, parseCanonical } from '../src/verify/canonical.js';
import { parseVerifierKey } from '../src/verify/checkpoint.js';
import { verifyVrf } from '../src/verify/ecvrf.js';
import { sha256 } from '../src/verify/hashing.js';
import { parseFragment, parseLink, parsePolicy } from '../src/verify/link.js';
import { isIncluded, leafHash, merkleRoot, nodeHash } from '../src/verify/merkle.js';
import { verify } from '../src/verify/verify.js';
import { KEY, makeBundle } from './make_bundle.mjs';

const text = (made) => encodeCanonical(made.bundle);
const failedStep = async (hooks, key = KEY) => (await verify({ bundle: text(makeBundle(hooks)), key })).failure?.step;

test('a genuine bundle reaches L1 and opens', async () => {
  const report = await verify({ bundle: text(makeBundle()), key: KEY });

  assert.equal(report.failure, null);
  assert.deepEqual(report.levels, ['L0', 'L1-unwitnessed']);
  assert.equal(report.trust, 'self-consistent');
  assert.equal(report.found.openings.fields.reply.text, 'About ships that come home late.');
});

test('without the key the steps that need it are hidden', async () => {
  const report = await verify({ bundle: text(makeBundle()) });

  assert.equal(report.failure, null);
  assert.deepEqual(report.steps.map(({ state }) => state), [
    'passed', 'passed', 'passed', 'passed', 'hidden', 'hidden', 'hidden', 'passed', 'passed', 'absent',
  ]);
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

const LIES = [
  ['receipt of another operator', { receipt: (r) => { r.operator = '00'.repeat(32); } }, 2],
  ['receipt with an unknown member', { receipt: (r) => { r.extra = 1; } }, 1],
  ['other manifest', { receipt: (r) => { r.manifest = '00'.repeat(32); } }, 3],
  ['other twin in manifest', { manifest: (m) => { m.twin = '00'.repeat(32); } }, 3],
  ['other creator in manifest', { manifest: (m) => { m.creator = m.payout; } }, 3],
  ['split beyond the whole', { manifest: (m) => { m.split.creator_bp = 9000; } }, 1],
  ['turn one with a past', { fields: (f) => { f.turn.n = 1; } }, 5],
  ['more turns than there were', { fields: (f) => { f.turn = { n: 1, previous: null }; } }, 7],
  ['one receipt for two turns', { fields: (f) => { f.turn.n = 3; f.spans.splice(3, 0, f.spans[1], f.spans[2]); f.context.tokens.splice(8, 0, 12, 3, 13, 4); } }, 7],
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
  ['stopped before the first token', { fields: (f) => { halt(f, 'stopped'); f.output.tokens = []; } }, 7],
  ['cut off at the longest output', { fields: (f) => { halt(f, 'cut'); f.output.tokens = Array(8).fill(20); } }, 7],
  ['other slot tag', { receipt: (r) => { r.seed.slot_tag = '00'.repeat(16); } }, 6],
  ['platform that numbers itself', { receipt: (r) => { r.numbering = 'platform'; } }, 6],
  ['hidden span', { fields: (f) => { f.context.tokens.splice(4, 0, 99); } }, 7],
  ['two messages', { fields: (f) => { f.spans.push(f.spans[3]); } }, 7],
  ['output too long', { fields: (f) => { f.output.tokens = Array(9).fill(20); } }, 7],
  ['length without reaching it', { fields: (f) => { f.reply.finish = 'length'; } }, 7],
  ['commitment to eight fields', { receipt: (r) => { r.fields.count = 8; } }, 1],
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

test('a context without pairs is accepted after any turn', async () => {
  const fields = (f) => {
    f.turn.n = 9;
    f.spans.splice(1, 2);
    f.context.tokens.splice(4, 4);
  };

  assert.equal(await failedStep({ fields }), undefined);
});

test('what people did to a reply is said in plain words', async () => {
  const told = async (hooks) => {
    const { failure, found } = await verify({ bundle: text(makeBundle(hooks)), key: KEY });
    assert.equal(failure, null);
    return { fan: describeFan(found.openings.fields), reply: describeReply(found).join(' '), step9: describeStep({ n: 9, state: 'passed' }, found).sentence };
  };
  const outcome = (word, outcomeCode) => ({ outcome: (o) => { o.outcome = word; }, outcomeCode });
  const stopped = await told({ fields: (f) => { again(f); halt(f, 'stopped'); }, receipt: second });
  const merged = await told({ fields: (f) => { f.message.parts.push({ id: '8', text: 'And why?' }); } });
  const cut = await told({ fields: (f) => halt(f, 'cut'), ...outcome('refunded', 4) });
  const withdrawn = await told(outcome('withdrawn', 3));

  assert.deepEqual({ ...await told({}), step9: '' }, { fan: 'The fan', reply: '', step9: '' });
  assert.match(stopped.reply, /^The second reply to the same message, asked for by the fan.*The fan stopped the reply here\.$/);
  assert.match((await told({ fields: again, receipt: (r) => { r.attempt = 2; } })).reply, /the third attempt/);
  assert.match((await told({ fields: again, receipt: (r) => { r.attempt = 65535; } })).reply, /attempt number 65536/);
  assert.match(merged.fan, /in 2 messages that were answered together/);
  assert.match(cut.reply, /creator ended the reply here\. Its fee was given back\.$/);
  assert.match(withdrawn.reply, /^It was withdrawn/);
  assert.match(withdrawn.step9, /“withdrawn”: the fan took the message back/);
});

test('a log key with a foreign name or point is none', () => {
  const vkey = (name, key) => {
    const typed = new Uint8Array([1, ...key]);
    const hash = toHex(sha256(new Uint8Array([...utf8(`${name}\n`), ...typed]))).slice(0, 8);
    return `${name}+${hash}+${toBase64(typed)}`;
  };
  const good = fromHex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');

  assert.equal(parseVerifierKey(vkey('!'.repeat(128), good)).name.length, 128);
  for (const name of ['', 'a b', 'a\u00a0b', 'a\tb', 'a\x07', 'l\u043eg', 'x'.repeat(129)]) {
    assert.throws(() => parseVerifierKey(vkey(name, good)), name);
  }
  for (const key of [`01${'00'.repeat(31)}`, '00'.repeat(32), `ee${'ff'.repeat(30)}7f`]) {
    assert.throws(() => parseVerifierKey(vkey('log', fromHex(key))), key);
  }
});

test('what is not proved is said, and no more than belongs', async () => {
  const claims = async (hooks, key) => {
    const report = await verify({ bundle: text(makeBundle(hooks)), key });
    return describeLimits(report).map(([claim]) => claim).join('\n');
  };
  const opened = await claims({}, KEY);
  const closed = await claims({}, null);

  assert.match(opened, /is true[^]*same log[^]*blockchain[^]*nobody chose[^]*none was left out/);
  assert.doesNotMatch(opened, /platform really|about the contents/);
  assert.match(closed, /is true[^]*about the contents/);
  assert.doesNotMatch(closed, /none was left out/);
  assert.doesNotMatch(opened, /really asked/);
  assert.match(await claims({ fields: again, receipt: second }, KEY), /That the fan really asked for it/);
  assert.match(await claims({ fields: again, receipt: second }, null), /That the fan really asked for it/);
  assert.match(await claims({ fields: (f) => halt(f, 'cut') }, KEY), /That the creator really asked for it/);
  assert.match(await claims({ receipt: (r) => { r.numbering = 'platform'; } }, null), /platform really gave this number/);
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

/** RFC 6962 section 2.1.1, by recursion. */
function pathOf(leaves, index) {
  if (leaves.length === 1) return [];
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split ? [...pathOf(left, index), merkleRoot(right)] : [...pathOf(right, index - split), merkleRoot(left)];
}

test('a node is no leaf', () => {
  const [a, b] = [leafHash(Uint8Array.of(1)), leafHash(Uint8Array.of(2))];

  assert.notEqual(toHex(nodeHash(a, b)), toHex(leafHash(new Uint8Array([...a, ...b]))));
});

for (const wrong of ['{"a":1 }', '{"b":1,"a":2}', '{"a":1,"a":1}', '[1.0]', '[1e3]', '[-0]', '[9007199254740992]',
  '"\\u0041"', '"\\ud800"', '\ufeff[]', '[0.5]', '']) {
  test(`not canonical: ${JSON.stringify(wrong)}`, () => assert.throws(() => parseCanonical(utf8(wrong))));
}

test('links, keys and policies as people paste them', () => {
  const { link, policy } = makeBundle();
  const [, key] = link.split('#k=');

  assert.deepEqual(parseLink(link).key, KEY);
  assert.equal(parseLink(link).receiptId.length, 22);
  assert.deepEqual(parseLink(key), { receiptId: null, key: KEY });
  assert.deepEqual(parseLink(`reply.json#k=${key}`), { receiptId: null, key: KEY });
  assert.throws(() => parseFragment(`k=${key.slice(1)}`));
  assert.deepEqual(parsePolicy(`creator ${policy.creators}\nlog: ${policy.logs}`), policy);
  assert.deepEqual(parsePolicy(JSON.stringify(policy)), policy);
  assert.throws(() => parsePolicy('nothing'));
});
