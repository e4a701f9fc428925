/** The statements that get signed: receipt, manifest, outcome, persona, openings. */
import { parseCanonical } from './canonical.js';
import { parseVerifierKey } from './checkpoint.js';
import { isPrimeOrderPoint } from './ciphers.js';
import { fromHex } from './bytes.js';
import { checksumAddress } from './creator.js';
import {
  decimal, integer, isBase64Of, isHex, lineOf, list, nullOr, object, oneOf, record, text, textOf, time, titleOf, tokens, upTo,
} from './shape.js';

const nothing = oneOf(null);
const amount = integer(0);
const title = titleOf(64);
const short = textOf(1, 64);
const isKey = isHex(32);
const publicKey = (value) => isKey(value) && isPrimeOrderPoint(fromHex(value));
const count = integer(1, 65536);
const address = (value) => text(value) && /^0x[0-9a-fA-F]{40}$/.test(value) && checksumAddress(value) === value;

const symbol = (value) => text(value) && /^[A-Za-z0-9._-]{1,16}$/.test(value);
const isSplit = object({ creator_bp: amount, operator_bp: amount }, 'split');
const isLog = object({ origin: text, key: text }, 'log');

const RECEIPT = {
  v: oneOf('twinproof-receipt/1'),
  type: oneOf('reply'),
  twin: isHex(32),
  manifest: isHex(32),
  seq: integer(1),
  attempt: integer(0, 65535),
  numbering: oneOf('operator', 'platform'),
  model: object({
    gguf: isHex(32), library: short, build: isHex(32), profile: oneOf('exact/1'), verdict: oneOf('exact', 'tolerant'),
  }, 'receipt’s model'),
  seed: object({ vrf_proof: isBase64Of(80), slot_tag: isHex(16), beacon: nothing }, 'seed'),
  fields: object({ root: isHex(32), count: oneOf(9) }, 'field commitment'),
  price: object({ nano: amount, token: short, creator_nano: amount, operator_nano: amount }, 'receipt’s price'),
  rule: nothing,
  rate_table: nothing,
  payer: nothing,
  registry_block: nothing,
  operator: isHex(32),
  time,
};

const MANIFEST = {
  v: oneOf('twinproof-manifest/1'),
  twin: isHex(32),
  slug: (value) => text(value) && /^[a-z0-9][a-z0-9_-]{0,63}$/.test(value),
  name: title,
  version: integer(1),
  previous: nullOr(isHex(32)),
  persona: isHex(32),
  model: object({ name: title, gguf: isHex(32), size_bytes: integer(1), lora: nothing }, 'manifest’s model'),
  engine: object({ library: title, profile: oneOf('exact/1'), isa: oneOf('x86-64-v3') }, 'engine'),
  rendering: object({
    program: oneOf('typed-spans/1'), span_prefix: textOf(0, 64), before_persona: tokens, persona_to_fan: tokens,
    fan_to_twin: tokens, twin_to_fan: tokens, window_tokens: count,
  }, 'rendering'),
  sampler: object({
    algorithm: oneOf('gumbel-max/1'), temperature: decimal, top_k: integer(1, 256),
    top_p: (value) => decimal(value) && Number(value) <= 1, min_p: upTo(1),
    presence_penalty: upTo(2), frequency_penalty: upTo(2), max_tokens: count,
  }, 'sampler'),
  filter: object({ policy: oneOf('stop/1'), stop_tokens: tokens, stop_strings: list(short) }, 'filter'),
  price: object({ nano: amount, token: symbol }, 'manifest’s price'),
  split: (value) => isSplit(value) && value.creator_bp + value.operator_bp === 10000,
  creator: address,
  payout: address,
  operator: object({ signing_key: publicKey, vrf_key: publicKey }, 'operator’s keys'),
  log: (value) => isLog(value) && parseVerifierKey(value.key).name === value.origin,
  beacon: nothing,
  valid_from: time,
  valid_until: time,
};

const OUTCOME = {
  v: oneOf('twinproof-outcome/1'),
  receipt: isHex(32),
  outcome: oneOf('delivered', 'undelivered', 'withdrawn', 'refunded'),
  time,
};

function lines(check) {
  return (value) => list(check)(value) && value.length <= 100;
}

const PERSONA = {
  v: oneOf('twinproof-persona/1'),
  name: titleOf(64),
  role: titleOf(200),
  facts: lines(lineOf(1000)),
  off_limits: lines(lineOf(1000)),
  examples: lines(object({ fan: lineOf(1000), twin: lineOf(1000) }, 'example')),
};

const isTurn = object({ n: integer(1), previous: nullOr(isHex(32)) }, 'turn');
const isSpan = object({
  kind: oneOf('persona', 'fan', 'twin', 'message'), receipt: nullOr(isHex(32)), tokens,
}, 'span');
const isEarlier = oneOf('fan', 'twin');

const MAX_PARTS = 16;
const isParts = list(object({ id: text, text }, 'part of the message'));
/** @param {any} value one to sixteen parts, each with an id of its own */
const parts = (value) => (
  isParts(value) && value.length >= 1 && value.length <= MAX_PARTS
  && new Set(value.map(({ id }) => id)).size === value.length
);
const eventId = nullOr(textOf(1, 200));
const isEvent = object({ halt: eventId, regenerate: eventId, replaces: nullOr(isHex(32)) }, 'event');

const FIELD_VALUES = {
  slot: object({ bot: text, chat: text, message: text, platform: text, thread: text }, 'slot'),
  conversation: object({ id: isHex(32) }, 'conversation'),
  turn: (value) => isTurn(value) && (value.n === 1) === (value.previous === null),
  message: object({ parts }, 'message'),
  spans: list((value) => isSpan(value) && isEarlier(value.kind) === (value.receipt !== null)),
  context: object({ tokens }, 'context'),
  output: object({ tokens }, 'output'),
  reply: object({ finish: oneOf('end', 'length', 'stop', 'stopped', 'cut'), text: textOf(1, 65536) }, 'reply'),
  event: (value) => isEvent(value) && (value.regenerate === null) === (value.replaces === null),
};

/** Names of the salted fields in their order. */
export const FIELD_NAMES = Object.keys(FIELD_VALUES);

const OPENINGS = {
  v: oneOf('twinproof-openings/1'),
  persona: object(PERSONA, 'persona'),
  fields: (value) => Array.isArray(value) && value.length === FIELD_NAMES.length && value.every(isField),
};

function isField(value, index) {
  const name = FIELD_NAMES[index];
  record(value, { name: oneOf(name), salt: isBase64Of(16), value: FIELD_VALUES[name] }, `field "${name}"`);
  return true;
}

const parser = (members, name) => (bytes) => {
  const value = parseCanonical(bytes);
  record(value, members, name);
  return value;
};

export const parseReceipt = parser(RECEIPT, 'receipt');
export const parseManifest = parser(MANIFEST, 'manifest');
export const parseOutcome = parser(OUTCOME, 'outcome statement');
export const parseOpenings = parser(OPENINGS, 'sealed part');
