/** Makes one complete, valid bundle with fixed keys: what an operator does, in few lines. */
import { gcm } from '@noble/ciphers/aes.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 as keccak } from '@noble/hashes/sha3.js';
import { sha512 } from '@noble/hashes/sha2.js';
import {
  concat, fromBase64, fromHex, toBase64, toBase64Url, toHex, u16, utf8,
} from '../src/verify/bytes.js';
import { encodeCanonical } from '../src/verify/canonical.js';
import { checksumAddress } from '../src/verify/address.js';
import { creatorDigest, orderDigest } from '../src/verify/creator.js';
import { challenge, hashToCurve } from '../src/verify/ecvrf.js';
import { fixedText } from '../src/verify/fixed_answers.js';
import { derive, receiptTagOf, sha256, taggedHash } from '../src/verify/hashing.js';
import { leafHash, merkleRoot } from '../src/verify/merkle.js';

const { Point } = ed25519;
const secret = (byte) => new Uint8Array(32).fill(byte);
const OPERATOR = secret(1);
const VRF = secret(2);
const LOG = secret(3);
const CREATOR = secret(4);
export const KEY = secret(5);

const dsse = (body, type, signer = OPERATOR) => {
  const payload = encodeCanonical(body);
  const encoded = concat(utf8(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload);
  const keyid = toHex(ed25519.getPublicKey(signer));
  const sig = toBase64(ed25519.sign(encoded, signer));
  return { envelope: { payload: toBase64(payload), payloadType: type, signatures: [{ keyid, sig }] }, hash: sha256(encoded) };
};

/** RFC 9381 section 5.1. */
export function proveVrf(seed, alpha) {
  const { scalar, prefix } = ed25519.utils.getExtendedPublicKey(seed);
  const key = ed25519.getPublicKey(seed);
  const h = hashToCurve(key, alpha);
  const gamma = h.multiply(scalar);
  const nonce = Point.Fn.create(little(sha512(concat(prefix, h.toBytes()))));
  const c = challenge(Point.fromBytes(key), h, gamma, Point.BASE.multiply(nonce), h.multiply(nonce));
  const s = Point.Fn.create(nonce + little(c) * scalar);
  const proof = concat(gamma.toBytes(), c, Point.Fn.toBytes(s));
  return { proof, beta: sha512(concat(Uint8Array.of(3, 3), gamma.clearCofactor().toBytes(), Uint8Array.of(0))) };
}

const little = (bytes) => bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);

const PERSONA = {
  v: 'twinproof-persona/1', name: 'Nova', role: 'a singer from the harbour',
  facts: ['You grew up by the sea.'], off_limits: ['medical advice'],
  examples: [{ fan: 'Hi!', twin: 'Hello from the pier.' }],
};
const RENDERING = {
  program: 'typed-spans/1', span_prefix: '', before_persona: [1], persona_to_fan: [2],
  fan_to_twin: [3], twin_to_fan: [4], window_tokens: 64,
};
const FIELDS = {
  slot: { bot: 'local', chat: 'fan', message: '7', platform: 'web', thread: '' },
  conversation: { id: 'ab'.repeat(32) },
  turn: { n: 2, previous: 'cd'.repeat(32) },
  message: { parts: [{ id: '7', text: 'What do you sing about?' }] },
  spans: [
    { kind: 'persona', receipt: null, tokens: [10, 11] },
    { kind: 'fan', receipt: 'cd'.repeat(32), tokens: [12] },
    { kind: 'twin', receipt: 'cd'.repeat(32), tokens: [13] },
    { kind: 'message', receipt: null, tokens: [14, 15] },
  ],
  context: { tokens: [1, 10, 11, 2, 12, 3, 13, 4, 14, 15, 3] },
  output: { tokens: [20, 21, 22] },
  reply: { finish: 'end', rejected: 0, text: 'About ships that come home late.' },
  event: { halt: null, regenerate: null, replaces: null },
  choice: { older: null, start: 1 },
  counts: { context: 11, output: 3 },
};

/** A fixed answer: fields and receipt as section 5.2 says. */
export const FIXED = {
  fields: (f) => Object.assign(f, {
    message: { parts: [{ id: '7', text: 'I WANT to die.' }] }, spans: [], context: { tokens: [] }, output: { tokens: [] },
    reply: { finish: 'fixed', rejected: 0, text: fixedText('crisis/1') }, choice: { older: null, start: 2 },
    counts: { context: 0, output: 0 },
  }),
  receipt: (r) => Object.assign(r, {
    type: 'fixed', rule: 'crisis/1', price: { nano: 0, token: 'TPT', creator_nano: 0, operator_nano: 0, free_daily: 10 },
    payer: 'free', rate_table: null,
  }),
};

/** Who pays: changes of a receipt; the payer of a bundle as it comes is the operator's budget. */
export const PAID = { receipt: (r) => Object.assign(r, { payer: 'paid', rate_table: '7a'.repeat(32) }) };
export const PROMOTIONAL = {
  receipt: (r) => {
    r.payer = 'promotional';
    Object.assign(r.price, { creator_nano: 0, operator_nano: 0 });
  },
};
/** A twin that costs nothing. */
export const FREE = { manifest: (m) => { m.price.nano = 0; }, receipt: (r) => { r.payer = 'free'; } };
/** A receipt that says where the twin was looked up. */
export const REGISTERED = { receipt: (r) => { r.registry_block = { chain: 84532, number: 19000000, hash: '5e'.repeat(32) }; } };

/** A log's or witness's key as C2SP writes it. */
export function makeKey(name, seed, kind = 1) {
  const typed = concat(Uint8Array.of(kind), ed25519.getPublicKey(seed));
  const hash = sha256(concat(utf8(`${name}\n`), typed)).subarray(0, 4);
  return { name, seed, hash, vkey: `${name}+${toHex(hash)}+${toBase64(typed)}` };
}

export const FIRST = makeKey('demo.example/log', LOG);
/** Continues the first log; and the one that continues this one. */
export const NEXT = makeKey('demo.example/log2', secret(7));
export const LAST = makeKey('demo.example/log3', secret(8));
export const WITNESS = makeKey('witness.example/w', secret(9), 4);
export const STRANGER = makeKey('stranger.example/w', secret(10), 4);

function makeManifest(change) {
  const creator = address(CREATOR);
  const manifest = {
    v: 'twinproof-manifest/2', twin: toHex(taggedHash('twin', fromHex(creator.slice(2).toLowerCase()), 'nova')),
    slug: 'nova', name: 'Nova', version: 1, previous: null, persona: toHex(sha256(encodeCanonical(PERSONA))),
    model: { name: 'starter', gguf: 'ee'.repeat(32), size_bytes: 1000, lora: null },
    engine: { library: 'llama-cpp-python 0.3.36', profile: 'exact/1', isa: 'x86-64-v3' },
    rendering: structuredClone(RENDERING),
    sampler: { algorithm: 'gumbel-max/1', temperature: '0.8', top_k: 40, top_p: '0.95', min_p: '0', presence_penalty: '0', frequency_penalty: '0.5', max_tokens: 8 },
    filter: { policy: 'stop-repeat/1', stop_tokens: [0], stop_strings: ['\nFan:'], redraws: 2 },
    rules: ['crisis/1'], knowledge: null,
    price: { nano: 2000000, token: 'TPT', free_daily: 10 }, split: { creator_bp: 8500, operator_bp: 1500 },
    creator, payout: address(secret(6)),
    operator: { signing_key: toHex(ed25519.getPublicKey(OPERATOR)), vrf_key: toHex(ed25519.getPublicKey(VRF)) },
    log: { origin: FIRST.name, key: FIRST.vkey },
    beacon: null, valid_from: '2026-11-01T00:00:00Z', valid_until: '2027-11-01T00:00:00Z',
  };
  change(manifest);
  const body = encodeCanonical(manifest);
  return { manifest, body, signature: signAsCreator(creatorDigest(manifest, sha256(body))) };
}

function signAsCreator(digest, key = CREATOR) {
  const [recovery, ...rs] = secp256k1.sign(digest, key, { prehash: false, format: 'recovered' });
  return `0x${toHex(Uint8Array.of(...rs, 27 + recovery))}`;
}

function address(key) {
  const point = secp256k1.getPublicKey(key, false).subarray(1);
  return checksumAddress(`0x${toHex(keccak(point).subarray(12))}`);
}

/**
 * Make a bundle; each hook may change a part before it is signed, as a lying operator could.
 * `seals` lists logs that follow on the first; the last of them signs the checkpoint. `revocation`
 * and `anchor` are there if their hooks are, and `order: 'before'` puts the order before the reply.
 * @param {Record<string, any>} [hooks]
 * @returns {{bundle: any, policy: any, link: string, disclose: Function}}
 */
export function makeBundle(hooks = {}) {
  const tamper = (name, value) => {
    hooks[name]?.(value);
    return value;
  };
  const { manifest, body, signature } = makeManifest((value) => tamper('manifest', value));
  const slot = tamper('slot', structuredClone(FIELDS.slot));
  const { platform, bot, chat, thread, message } = slot; // the fields may lie about it
  const { proof, beta } = proveVrf(VRF, taggedHash('slot-input', fromHex(manifest.twin), platform, bot, chat, thread, message));
  const values = tamper('fields', { ...structuredClone(FIELDS), slot, seed: { vrf_proof: toBase64(proof) } });
  const opened = Object.entries(values).map(([name, value]) => (
    { name, salt: toBase64(derive(KEY, `twinproof/v1/salt/${name}`, 16)), value }
  ));
  tamper('salts', opened);
  const zero = Uint8Array.of(0);
  const leaves = opened.map(({ name, salt, value }) => (
    concat(utf8('twinproof/v1/field'), zero, utf8(name), zero, fromBase64(salt), encodeCanonical(value))
  ));
  const creatorNano = Math.floor((manifest.price.nano * manifest.split.creator_bp) / 10000);
  const receipt = tamper('receipt', {
    v: 'twinproof-receipt/2', type: 'reply', twin: manifest.twin, manifest: toHex(sha256(body)), seq: 1, attempt: 0,
    numbering: 'operator',
    model: { gguf: manifest.model.gguf, library: manifest.engine.library, build: 'ff'.repeat(32), profile: 'exact/1', verdict: 'exact' },
    seed: { slot_tag: toHex(taggedHash('slot', beta).subarray(0, 16)), beacon: null },
    fields: { root: toHex(merkleRoot(leaves)), count: 12 },
    price: { ...manifest.price, creator_nano: creatorNano, operator_nano: manifest.price.nano - creatorNano },
    rule: null, rate_table: null, payer: 'sponsor', registry_block: null,
    operator: toHex(ed25519.getPublicKey(OPERATOR)), time: '2026-11-20T10:00:00Z',
  });
  const signed = dsse(receipt, 'application/vnd.twinproof.receipt+json');
  const openings = { v: 'twinproof-openings/2', persona: PERSONA, fields: opened };
  const sealed = gcm(derive(KEY, 'twinproof/v1/seal', 32), new Uint8Array(12), signed.hash).encrypt(encodeCanonical(openings));
  const leaf = tamper('leaf', concat(
    Uint8Array.of(1), receiptTagOf(signed.hash), fromHex(receipt.seed.slot_tag), u16(receipt.attempt),
    Uint8Array.of(values.reply.rejected), fromHex(receipt.twin).subarray(0, 8), sha256(body).subarray(0, 8),
  ));
  const seals = (hooks.seals ?? []).map((next, i, all) => {
    const from = i === 0 ? FIRST : all[i - 1];
    const seal = { v: 'twinproof-seal/1', log: from.vkey, size: 9, root: '77'.repeat(32), kept: 1, successor: next.vkey };
    return dsse(tamper('seal', seal), 'application/vnd.twinproof.seal+json', hooks.sealer ?? from.seed).envelope;
  });
  const log = (hooks.seals ?? []).at(-1) ?? FIRST;
  const outcome = hooks.outcome === null ? null : makeOutcome(receiptTagOf(signed.hash), hooks.outcomeCode ?? 1, (value) => hooks.outcome?.(value, toHex(signed.hash)));
  const revocation = hooks.revocation ? makeRevocation(manifest, log, hooks) : null;
  const bundle = tamper('bundle', {
    v: 'twinproof-bundle/2', receipt: signed.envelope, manifest: { body: toBase64(body), signature },
    ...place({ leaf, outcome, revocation, log }, hooks, tamper), seals, sealed: toBase64(sealed),
  });
  const policy = {
    v: 'twinproof-policy/1', creators: [manifest.creator], logs: [manifest.log.key], witnesses: [], needed: 0,
    auditors: [], anchors: [], revoked: [],
  };
  const disclose = (names, persona = null) => ({
    v: 'twinproof-disclosure/1', bundle: { ...bundle, sealed: null }, persona,
    fields: opened.map((field, i) => ({ ...field, path: pathOf(leaves, i).map(toBase64) })).filter(({ name }) => names.includes(name)),
  });
  return {
    bundle, policy, disclose, manifest, receiptHash: signed.hash,
    link: `http://127.0.0.1/r/${toBase64Url(signed.hash.subarray(0, 16))}#k=${toBase64Url(KEY)}`,
  };
}

export { PERSONA };

function makeOutcome(tag, code, change) {
  const body = { v: 'twinproof-outcome/2', receipt: toHex(tag), outcome: 'delivered' };
  change(body);
  const { envelope, hash } = dsse(body, 'application/vnd.twinproof.outcome+json');
  return { envelope, leaf: concat(Uint8Array.of(2), hash, tag, Uint8Array.of(code)) };
}

function makeRevocation(manifest, log, hooks) {
  const order = {
    v: 'twinproof-order/1', twin: manifest.twin, action: 'revoke', number: 1, manifest: null, log: log.name,
    issued: '2026-12-01T00:00:00Z', expires: '2026-12-02T00:00:00Z',
  };
  hooks.revocation(order, toHex(sha256(encodeCanonical(manifest))));
  const body = encodeCanonical(order);
  const signature = signAsCreator(orderDigest(order, manifest.name, sha256(body)), hooks.revoker);
  const leaf = concat(Uint8Array.of(5), sha256(body), fromHex(order.twin).subarray(0, 8));
  hooks.orderLeaf?.(leaf);
  return { body: toBase64(body), signature, leaf };
}

/** A tree of six: strangers, the reply at 2, the outcome at 3, the order at 4 (or 1), a stranger. */
function place({ leaf, outcome, revocation, log }, hooks, tamper) {
  const orderAt = hooks.order === 'before' ? 1 : 4;
  const leaves = ['a', 'b', 'c', 'd', 'e', 'f'].map(utf8);
  leaves[2] = leaf;
  const outcomeAt = hooks.outcomeAt ?? 3;
  if (outcome) leaves[outcomeAt] = outcome.leaf;
  if (revocation) leaves[orderAt] = revocation.leaf;
  const parts = { size: leaves.length, root: merkleRoot(leaves), origin: log.name, lines: [] };
  tamper('checkpoint', parts);
  const text = `${parts.origin}\n${parts.size}\n${toBase64(parts.root)}\n`;
  const signature = toBase64(concat(log.hash, ed25519.sign(utf8(text), hooks.logSeed ?? log.seed)));
  const lines = [`— ${log.name} ${signature}\n`, ...(hooks.cosign ?? []).map((by) => cosign(by, text))];
  const note = tamper('lines', { text: `${text}\n`, lines });
  const proofAt = (index) => (
    `c2sp.org/tlog-proof@v1\nindex ${index}\n${pathOf(leaves, index).map((hash) => `${toBase64(hash)}\n`).join('')}\n${note.text}${note.lines.join('')}`
  );
  const anchored = leaves.slice(0, 5);
  const anchor = hooks.anchor ? {
    chain: 1, contract: CONTRACT, epoch: 3, size: 5, root: toHex(merkleRoot(anchored)), inclusion: pathOf(anchored, 2).map(toBase64),
  } : null;
  hooks.anchor?.(anchor, toHex(parts.root), pathOf(leaves, 2).map(toBase64));
  return {
    log: tamper('logPart', { leaf: toBase64(leaf), proof: proofAt(2) }),
    outcome: outcome && tamper('outcomePart', { statement: outcome.envelope, leaf: toBase64(outcome.leaf), proof: proofAt(outcomeAt) }),
    revocation: revocation && tamper('revocationPart', { ...revocation, leaf: toBase64(revocation.leaf), proof: proofAt(orderAt) }),
    anchor,
  };
}

export const CONTRACT = checksumAddress(`0x${'c5'.repeat(20)}`);

/** A witness's line (log.md section 3); `time` and `over` may lie. */
export function cosign({ key, time = 1795165200n, over }, text) {
  const stamp = new Uint8Array(8);
  new DataView(stamp.buffer).setBigUint64(0, time);
  const signature = ed25519.sign(utf8(`cosignature/v1\ntime ${time}\n${over ?? text}`), key.seed);
  return `— ${key.name} ${toBase64(concat(key.hash, stamp, signature))}\n`;
}

/** RFC 6962 section 2.1.1, by recursion. */
export function pathOf(leaves, index) {
  if (leaves.length === 1) return [];
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split ? [...pathOf(left, index), merkleRoot(right)] : [...pathOf(right, index - split), merkleRoot(left)];
}
