/** Steps 8 to 10: log proofs, seals, witnesses, anchors, outcomes, revocations and trust policies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toBase64, toHex, utf8 } from '../src/verify/bytes.js';
import { encodeCanonical } from '../src/verify/canonical.js';
import { parseVerifierKey, parseWitnessKey } from '../src/verify/checkpoint.js';
import { sha256 } from '../src/verify/hashing.js';
import { parsePolicy } from '../src/verify/link.js';
import { parseLogProof } from '../src/verify/log_proof.js';
import { verify } from '../src/verify/verify.js';
import {
  CONTRACT, FIRST, KEY, LAST, makeBundle, makeKey, NEXT, STRANGER, WITNESS,
} from './make_bundle.mjs';

const secret = (byte) => new Uint8Array(32).fill(byte);
/** Verify what hooks make, under its own policy with changes. */
async function check(hooks, changes = null) {
  const made = makeBundle(hooks);
  const policy = changes && { ...made.policy, ...(typeof changes === 'function' ? changes(made) : changes) };
  return verify({ bundle: encodeCanonical(made.bundle), key: KEY, policy });
}
const failedStep = async (hooks, changes) => (await check(hooks, changes)).failure?.step;

const proof = (change) => ({ logPart: (part) => { part.proof = change(part.proof); } });
const lines = (change) => ({ lines: (note) => { note.lines = change(note.lines, note.text.slice(0, -1)); } });
const outcomeProof = (change) => ({ outcomePart: (part) => { part.proof = change(part.proof); } });
const revoked = (change = () => {}) => ({ revocation: change });
const sealed = (change = () => {}) => ({ seals: [NEXT], seal: change });
const REFUSED = [
  ['proof of another version', proof((p) => p.replace('@v1', '@v2')), 8],
  ['leaf that is not the one in the tree', { logPart: (part) => { part.leaf = part.leaf.replace(/^..../, 'AQAA'); } }, 8],
  ['proof with extra data', proof((p) => p.replace('\nindex', '\nextra AAAA\nindex')), 8],
  ['index with a leading zero', proof((p) => p.replace('index 2', 'index 02')), 8],
  ['proof with carriage returns', proof((p) => p.replaceAll('\n', '\r\n')), 8],
  ['proof without its last newline', proof((p) => p.slice(0, -1)), 8],
  ['proof with a line after it', proof((p) => `${p}\n`), 8],
  ['other index', proof((p) => p.replace('index 2', 'index 3')), 8],
  ['proof that lacks a hash', proof((p) => p.replace(/(index 2\n)[^\n]+\n/, '$1')), 8],
  ['proof of 64 hashes', proof((p) => p.replace('index 2\n', `index 2\n${`${'A'.repeat(43)}=\n`.repeat(64)}`)), 8],
  ['hash with bits beyond its end', proof((p) => p.replace(/(index 2\n.{42}).=/, '$1B=')), 8],
  ['checkpoint with an extension line', proof((p) => p.replace('\n\n—', '\nmore\n\n—')), 8],
  ['no signature of the log', lines(() => []), 8],
  ['signature of the log twice', lines(([own]) => [own, own]), 8],
  ['signature of another log', { logSeed: secret(12) }, 8],
  ['seventeen signatures', lines(([own]) => [own, ...Array.from({ length: 16 }, (_, i) => `— w${i} AAAAAAAA\n`)]), 8],
  ['signature line without a name', lines(([own]) => [own, '—  AAAAAAAA\n']), 8],
  ['signature line of another form', lines(([own]) => [own, 'AAAAAAAA\n']), 8],
  ['anchor that lacks a hash', { anchor: (a) => { a.inclusion.pop(); } }, 8],
  ['anchor of another root', { anchor: (a) => { a.root = '00'.repeat(32); } }, 8],
  ['anchor from before the reply', { anchor: (a) => { a.size = 2; } }, 8],
  ['anchor of the same size and another root', { anchor: (a) => { a.size = 6; } }, 8],
  ['anchor in epoch 0', { anchor: (a) => { a.epoch = 0; } }, 1],
  ['anchor in lower case', { anchor: (a) => { a.contract = a.contract.toLowerCase(); } }, 1],
  ['successor that nobody sealed for', { bundle: (b) => { b.seals = []; }, seals: [NEXT] }, 8],
  ['seal signed by the successor', { ...sealed(), sealer: NEXT.seed }, 8],
  ['seal of another log', sealed((s) => { s.log = LAST.vkey; }), 8],
  ['seal that keeps more than there was', sealed((s) => { s.kept = 10; }), 8],
  ['seal with a time', sealed((s) => { s.time = '2026-11-20T10:00:00Z'; }), 8],
  ['reply in the place of a seal', sealed((s) => { s.kept = 2; }), 8],
  ['reply in the place of the last of two seals', { seals: [NEXT, LAST], seal: (s) => { s.kept = s.log === NEXT.vkey ? 2 : 1; } }, 8],
  ['log that is continued by itself', { seals: [FIRST] }, 8],
  ['log that comes back', { seals: [NEXT, FIRST] }, 8],
  ['successor of the same origin', { seals: [makeKey(FIRST.name, secret(11))] }, 8],
  ['successor with the same key', { seals: [makeKey('new.example/log', FIRST.seed)] }, 8],
  ['nine seals', { bundle: (b) => { b.seals = Array(9).fill(b.receipt); } }, 1],
  ['a receipt in the place of a seal', { bundle: (b) => { b.seals = [b.receipt]; } }, 8],
  ['outcome with a time', { outcome: (o) => { o.time = '2026-11-20T10:00:00Z'; } }, 9],
  ['outcome of version 1', { outcome: (o) => { o.v = 'twinproof-outcome/1'; } }, 9],
  ['outcome under a checkpoint of its own', outcomeProof((p) => p.replace(/(\n— [^\n]+\n)$/, '$1— w AAAAAAAA\n')), 9],
  ['outcome from before the reply', { outcomeAt: 0 }, 9],
  ['outcome elsewhere', outcomeProof((p) => p.replace('index 3', 'index 4')), 9],
  ['outcome with a proof of another form', outcomeProof((p) => p.replace('index', 'Index')), 9],
  ['pause in the place of a revocation', revoked((o) => { o.action = 'pause'; }), 9],
  ['revocation of another twin', revoked((o) => { o.twin = '00'.repeat(32); }), 9],
  ['revocation of another version', revoked((o) => { o.manifest = '00'.repeat(32); }), 9],
  ['revocation for another log', revoked((o) => { o.log = 'other.example/log'; }), 9],
  ['revocation by somebody else', { ...revoked(), revoker: secret(13) }, 9],
  ['revocation of number 0', revoked((o) => { o.number = 0; }), 9],
  ['revocation with another leaf', { ...revoked(), orderLeaf: (l) => { l[33] ^= 1; } }, 9],
  ['revocation for a log before the one that was sealed', { ...revoked((o) => { o.log = FIRST.name; }), seals: [NEXT, LAST] }, 9],
  ['revocation that is not logged', { ...revoked(), revocationPart: (r) => { r.proof = r.proof.replace('index 4', 'index 5'); } }, 9],
];
for (const [name, hooks, step] of REFUSED) {
  test(`${name} fails step ${step}`, async () => assert.equal(await failedStep(hooks), step));
}

test('an anchor is claimed, and named where the policy knows its contract', async () => {
  const anchor = { anchor: () => {} };
  const claimed = await check(anchor);
  const known = await check(anchor, { anchors: [{ chain: 1, contract: CONTRACT }] });

  assert.deepEqual([claimed.levels, claimed.proved.anchor.named], [['L0', 'L1-unwitnessed'], false]);
  assert.equal(known.proved.anchor.named, true);
  assert.ok(known.unproved.includes(5));
  assert.equal((await check({ anchor: (a, root, path) => Object.assign(a, { size: 6, root, inclusion: path }) })).failure, null);
});

test('seals lead from the manifest’s log to the one that signed', async () => {
  const { failure, proved } = await check({ seals: [NEXT, LAST] }, {});

  assert.equal(failure, null);
  assert.deepEqual([proved.log.named, proved.log.origin], [FIRST.name, LAST.name]);
  assert.deepEqual(proved.seals.map(({ log, successor }) => [log, successor]), [[FIRST.name, NEXT.name], [NEXT.name, LAST.name]]);
});

test('a policy may name either log, and no other', async () => {
  assert.equal(await failedStep({ seals: [NEXT, LAST] }, { logs: [LAST.vkey] }), undefined);
  assert.equal(await failedStep({ seals: [NEXT, LAST] }, { logs: [NEXT.vkey] }), 10);
});

test('a revocation is shown with the side on which the reply stands', async () => {
  const later = await check(revoked());
  const before = await check({ ...revoked((order, manifest) => { order.manifest = manifest; }), order: 'before' });
  const moved = await check({ ...revoked((order) => { order.log = FIRST.name; }), seals: [NEXT] });

  assert.deepEqual([later.proved.revocation.when, later.proved.revocation.scope], ['before', 'twin']);
  assert.deepEqual([before.proved.revocation.when, before.proved.revocation.scope], ['after', 'version']);
  assert.equal(moved.proved.revocation.underSealed, true);
  assert.equal(later.steps[8].state, 'passed');
  assert.equal((await check({ ...revoked(), outcome: null })).steps[8].state, 'passed');
});

const TWO = { witnesses: [WITNESS.vkey, STRANGER.vkey], needed: 1 };
test('a cosignature that the policy asks for gives L1', async () => {
  const { levels, unproved, proved } = await check({ cosign: [{ key: WITNESS }] }, TWO);

  assert.deepEqual(levels, ['L0', 'L1']);
  assert.ok(!unproved.includes(4) && !unproved.includes(16));
  assert.deepEqual(proved.witnesses, {
    counted: [{ name: WITNESS.name, key: WITNESS.vkey, time: 1795165200, text: '2026-11-20T09:00:00Z' }],
    needed: 1, named: [WITNESS.name, STRANGER.name], others: 0,
  });
});

test('cosignatures that nobody asked for are no level', async () => {
  const cosigned = { cosign: [{ key: WITNESS }] };

  assert.deepEqual((await check(cosigned, { witnesses: [WITNESS.vkey] })).levels, ['L0', 'L1-unwitnessed']);
  const closed = await check({ cosign: [{ key: WITNESS }, { key: STRANGER, over: 'a lie' }] });
  assert.deepEqual([closed.levels, closed.proved.witnesses.others], [['L0', 'L1-unwitnessed'], 2]);
});

for (const [name, cosign, changes, step] of [
  ['too few cosignatures', [{ key: WITNESS }], { ...TWO, needed: 2 }, 10],
  ['no cosignature', [], TWO, 10],
  ['false cosignature beside a true one', [{ key: WITNESS }, { key: STRANGER, over: 'a lie' }], TWO, 8],
  ['cosignature twice', [{ key: WITNESS }, { key: WITNESS, time: 1795165201n }], TWO, 8],
  ['cosignature beyond all time', [{ key: WITNESS, time: 2n ** 63n }], TWO, 8],
  ['log that is its own witness', [{ key: makeKey('w', FIRST.seed, 4) }], { witnesses: [makeKey('w', FIRST.seed, 4).vkey], needed: 1 }, 10],
  ['log that nobody trusts', [], { logs: [NEXT.vkey] }, 10],
  ['creator whom nobody trusts', [], { creators: [CONTRACT] }, 10],
]) {
  test(`${name} fails step ${step}`, async () => assert.equal(await failedStep({ cosign }, changes), step));
}

test('what was signed after a key was lost does not count, and what was before does', async () => {
  const step = async (hooks, size, log, more = {}) => failedStep(hooks, ({ manifest }) => (
    { revoked: [{ manifest: toHex(sha256(encodeCanonical(manifest))), log, size, ...more }] }
  ));

  assert.equal(await step({}, 2, FIRST.name), 10);
  assert.equal(await step({}, 3, FIRST.name), undefined);
  assert.equal(await step({}, 0, 'other.example/log'), undefined);
  assert.equal(await step({}, 0, FIRST.name, { manifest: '00'.repeat(32) }), undefined);
  assert.equal(await step(sealed((s) => { s.kept = 3; }), 2, FIRST.name), 10);
  assert.equal(await step(sealed((s) => { s.kept = 3; }), 3, FIRST.name), undefined);
  assert.equal(await step(sealed((s) => { s.kept = 1; }), 9, FIRST.name), 10, 'a successor logged it after the seal');
});

test('a policy with members missing, unknown or wrong is refused', async () => {
  const { policy } = makeBundle();
  const refused = [
    { v: 'twinproof-policy/2' }, { extra: 1 }, { needed: 1 }, { witnesses: [FIRST.vkey] }, { logs: [WITNESS.vkey] },
    { witnesses: [WITNESS.vkey, WITNESS.vkey] }, { auditors: ['00'.repeat(32)] }, { revoked: [{}] }, { creators: ['0x12'] },
    { witnesses: [WITNESS.vkey, makeKey('other.example/w', WITNESS.seed, 4).vkey] },
    { anchors: [{ chain: 0, contract: CONTRACT }] }, { creators: Array(257).fill(CONTRACT) },
    { creators: [CONTRACT.toLowerCase()] }, { anchors: [{ chain: 1, contract: CONTRACT.toLowerCase() }] },
  ];

  for (const changes of refused) {
    await assert.rejects(check({}, changes), { name: 'Malformed' }, JSON.stringify(changes).slice(0, 99));
    assert.throws(() => parsePolicy(JSON.stringify({ ...policy, ...changes })), { name: 'Malformed' });
  }
  const { needed, ...lacking } = policy;
  assert.throws(() => parsePolicy(JSON.stringify(lacking)), { name: 'Malformed' });
});

test('policies as people paste them', () => {
  const { policy } = makeBundle();
  const words = `creator ${policy.creators}\nlog: ${policy.logs}\nwitness ${WITNESS.vkey}`;

  assert.deepEqual(parsePolicy(JSON.stringify(policy, null, 2)), policy);
  assert.deepEqual(parsePolicy(words), { ...policy, witnesses: [WITNESS.vkey], needed: 1 });
  assert.deepEqual(parsePolicy(words.replace(/0x\w+/, (capitals) => capitals.toLowerCase())).creators, policy.creators);
  assert.throws(() => parsePolicy(words.replace(/0x\w+/, (capitals) => capitals.toUpperCase().replace('X', 'x'))));
  assert.throws(() => parsePolicy('nothing'));
});

test('a key with a foreign name, kind or point is none', () => {
  const vkey = (name, key, kind = 1) => {
    const typed = new Uint8Array([kind, ...key]);
    const hash = toHex(sha256(new Uint8Array([...utf8(`${name}\n`), ...typed]))).slice(0, 8);
    return `${name}+${hash}+${toBase64(typed)}`;
  };
  const good = fromHex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');

  assert.equal(parseVerifierKey(vkey('!'.repeat(128), good)).name.length, 128);
  assert.equal(parseWitnessKey(vkey('w', good, 4)).name, 'w');
  assert.throws(() => parseVerifierKey(vkey('w', good, 4)));
  assert.throws(() => parseWitnessKey(vkey('w', good)));
  for (const name of ['', 'a b', 'a\u00a0b', 'a\tb', 'a\x07', 'l\u043eg', 'x'.repeat(129)]) {
    assert.throws(() => parseVerifierKey(vkey(name, good)), name);
  }
  for (const key of [`01${'00'.repeat(31)}`, '00'.repeat(32), `ee${'ff'.repeat(30)}7f`]) {
    assert.throws(() => parseVerifierKey(vkey('log', fromHex(key))), key);
    assert.throws(() => parseWitnessKey(vkey('log', fromHex(key), 4)), key);
  }
});

test('a log proof of a tree of one leaf has no hash', () => {
  const root = toBase64(new Uint8Array(32));
  const { index, path, checkpoint } = parseLogProof(`c2sp.org/tlog-proof@v1\nindex 0\n\nlog\n1\n${root}\n\n— log AAAAAAAA\n`);

  assert.deepEqual([index, path, checkpoint.origin, checkpoint.size], [0, [], 'log', 1]);
  assert.throws(() => parseLogProof(`c2sp.org/tlog-proof@v1\nindex 0\n\nlog\n9007199254740992\n${root}\n\n— log AAAAAAAA\n`));
});
