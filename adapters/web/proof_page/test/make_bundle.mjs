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
import { checksumAddress, creatorDigest } from '../src/verify/creator.js';
import { challenge, hashToCurve } from '../src/verify/ecvrf.js';
import { derive, sha256, taggedHash } from '../src/verify/hashing.js';
import { leafHash, merkleRoot, nodeHash } from '../src/verify/merkle.js';

const { Point } = ed25519;
const secret = (byte) => new Uint8Array(32).fill(byte);
const OPERATOR = secret(1);
const VRF = secret(2);
const LOG = secret(3);
const CREATOR = secret(4);
export const KEY = secret(5);

const dsse = (body, type) => {
  const payload = encodeCanonical(body);
  const encoded = concat(utf8(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload);
  const keyid = toHex(ed25519.getPublicKey(OPERATOR));
  const sig = toBase64(ed25519.sign(encoded, OPERATOR));
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
  reply: { finish: 'end', text: 'About ships that come home late.' },
  event: { halt: null, regenerate: null, replaces: null },
};

function makeManifest(change) {
  const creator = address(CREATOR);
  const typed = concat(Uint8Array.of(1), ed25519.getPublicKey(LOG));
  const keyHash = sha256(concat(utf8('demo.example/log\n'), typed)).subarray(0, 4);
  const manifest = {
    v: 'twinproof-manifest/1', twin: toHex(taggedHash('twin', fromHex(creator.slice(2).toLowerCase()), 'nova')),
    slug: 'nova', name: 'Nova', version: 1, previous: null, persona: toHex(sha256(encodeCanonical(PERSONA))),
    model: { name: 'starter', gguf: 'ee'.repeat(32), size_bytes: 1000, lora: null },
    engine: { library: 'llama-cpp-python 0.3.36', profile: 'exact/1', isa: 'x86-64-v3' },
    rendering: structuredClone(RENDERING),
    sampler: { algorithm: 'gumbel-max/1', temperature: '0.8', top_k: 40, top_p: '0.95', min_p: '0', presence_penalty: '0', frequency_penalty: '0.5', max_tokens: 8 },
    filter: { policy: 'stop/1', stop_tokens: [0], stop_strings: ['\nFan:'] },
    price: { nano: 2000000, token: 'TPT' }, split: { creator_bp: 8500, operator_bp: 1500 },
    creator, payout: address(secret(6)),
    operator: { signing_key: toHex(ed25519.getPublicKey(OPERATOR)), vrf_key: toHex(ed25519.getPublicKey(VRF)) },
    log: { origin: 'demo.example/log', key: `demo.example/log+${toHex(keyHash)}+${toBase64(typed)}` },
    beacon: null, valid_from: '2026-11-01T00:00:00Z', valid_until: '2027-11-01T00:00:00Z',
  };
  change(manifest);
  const body = encodeCanonical(manifest);
  const digest = creatorDigest(manifest, sha256(body));
  const [recovery, ...rs] = secp256k1.sign(digest, CREATOR, { prehash: false, format: 'recovered' });
  return { manifest, body, keyHash, signature: `0x${toHex(Uint8Array.of(...rs, 27 + recovery))}` };
}

function address(key) {
  const point = secp256k1.getPublicKey(key, false).subarray(1);
  return checksumAddress(`0x${toHex(keccak(point).subarray(12))}`);
}

/**
 * Make a bundle; each hook may change a part before it is signed, as a lying operator could.
 * @param {{manifest?: Function, receipt?: Function, fields?: Function, salts?: Function,
 *   leaf?: Function, checkpoint?: Function, outcome?: Function, outcomeCode?: number}} [hooks]
 * @returns {{bundle: any, policy: {creators: string[], logs: string[]}, link: string}}
 */
export function makeBundle(hooks = {}) {
  const tamper = (name, value) => {
    hooks[name]?.(value);
    return value;
  };
  const { manifest, body, keyHash, signature } = makeManifest((value) => tamper('manifest', value));
  const values = tamper('fields', structuredClone(FIELDS));
  const opened = Object.entries(values).map(([name, value]) => (
    { name, salt: toBase64(derive(KEY, `twinproof/v1/salt/${name}`, 16)), value }
  ));
  tamper('salts', opened);
  const zero = Uint8Array.of(0);
  const root = merkleRoot(opened.map(({ name, salt, value }) => (
    concat(utf8('twinproof/v1/field'), zero, utf8(name), zero, fromBase64(salt), encodeCanonical(value))
  )));
  const { platform, bot, chat, thread, message } = FIELDS.slot; // the fields may lie about it
  const { proof, beta } = proveVrf(VRF, taggedHash('slot-input', fromHex(manifest.twin), platform, bot, chat, thread, message));
  const creatorNano = Math.floor((manifest.price.nano * manifest.split.creator_bp) / 10000);
  const receipt = tamper('receipt', {
    v: 'twinproof-receipt/1', type: 'reply', twin: manifest.twin, manifest: toHex(sha256(body)), seq: 1, attempt: 0,
    numbering: 'operator',
    model: { gguf: manifest.model.gguf, library: manifest.engine.library, build: 'ff'.repeat(32), profile: 'exact/1', verdict: 'exact' },
    seed: { vrf_proof: toBase64(proof), slot_tag: toHex(taggedHash('slot', beta).subarray(0, 16)), beacon: null },
    fields: { root: toHex(root), count: 9 },
    price: { ...manifest.price, creator_nano: creatorNano, operator_nano: manifest.price.nano - creatorNano },
    rule: null, rate_table: null, payer: null, registry_block: null,
    operator: toHex(ed25519.getPublicKey(OPERATOR)), time: '2026-11-20T10:00:00Z',
  });
  const signed = dsse(receipt, 'application/vnd.twinproof.receipt+json');
  const openings = { v: 'twinproof-openings/1', persona: PERSONA, fields: opened };
  const sealed = gcm(derive(KEY, 'twinproof/v1/seal', 32), new Uint8Array(12), signed.hash).encrypt(encodeCanonical(openings));
  const leaf = tamper('leaf', concat(
    Uint8Array.of(1), signed.hash, fromHex(receipt.seed.slot_tag), u16(receipt.attempt), fromHex(receipt.twin).subarray(0, 8),
  ));
  const log = { leaf, others: [utf8('a'), utf8('b')] };
  const outcome = makeOutcome(signed.hash, hooks.outcomeCode ?? 1, (value) => tamper('outcome', value));
  const bundle = {
    v: 'twinproof-bundle/1', receipt: signed.envelope, manifest: { body: toBase64(body), signature },
    ...place(log, outcome, keyHash, (value) => tamper('checkpoint', value)), sealed: toBase64(sealed),
  };
  const policy = { creators: [manifest.creator], logs: [manifest.log.key] };
  return { bundle, policy, link: `http://127.0.0.1/r/${toBase64Url(signed.hash.subarray(0, 16))}#k=${toBase64Url(KEY)}` };
}

function makeOutcome(receiptHash, code, change) {
  const body = { v: 'twinproof-outcome/1', receipt: toHex(receiptHash), outcome: 'delivered', time: '2026-11-20T10:00:02Z' };
  change(body);
  const { envelope, hash } = dsse(body, 'application/vnd.twinproof.outcome+json');
  return { envelope, leaf: concat(Uint8Array.of(2), hash, receiptHash, Uint8Array.of(code)) };
}

/** A tree of five: two strangers, the reply, the outcome, a stranger. */
function place({ leaf, others }, outcome, keyHash, change) {
  const [a, b, c, d, e] = [...others, leaf, outcome.leaf, utf8('e')].map(leafHash);
  const left = nodeHash(a, b);
  const right = nodeHash(c, d);
  const root = nodeHash(nodeHash(left, right), e);
  const parts = change({ size: 5, root, origin: 'demo.example/log' });
  const text = `${parts.origin}\n${parts.size}\n${toBase64(parts.root)}\n`;
  const signature = toBase64(concat(keyHash, ed25519.sign(utf8(text), LOG)));
  return {
    log: { leaf: toBase64(leaf), index: 2, inclusion: [d, left, e].map(toBase64), checkpoint: `${text}\n— ${parts.origin} ${signature}\n` },
    outcome: { statement: outcome.envelope, leaf: toBase64(outcome.leaf), index: 3, inclusion: [c, left, e].map(toBase64) },
  };
}
