/** The statements that get signed: receipt, manifest, order, outcome, seal. */
import { parseCanonical } from './canonical.js';
import { isKeyName, parseVerifierKey } from './checkpoint.js';
import { isPrimeOrderPoint } from './ciphers.js';
import { fromHex } from './bytes.js';
import { Malformed } from './failure.js';
import { isRule } from './fixed_answers.js';
import {
  address, decimal, integer, isHex, list, nullOr, object, oneOf, record, text, textOf, time, titleOf, tokens, upTo,
} from './shape.js';

const nothing = oneOf(null);
const amount = integer(0);
const title = titleOf(64);
const short = textOf(1, 64);
const isKey = isHex(32);
const publicKey = (value) => isKey(value) && isPrimeOrderPoint(fromHex(value));
const count = integer(1, 65536);

const symbol = (value) => text(value) && /^[A-Za-z0-9._-]{1,16}$/.test(value);
const MAX_OPERATOR_BP = 3000;
const isSplit = object({ creator_bp: amount, operator_bp: integer(0, MAX_OPERATOR_BP) }, 'split');
const isLog = object({ origin: text, key: text }, 'log');
const isLogKey = (value) => text(value) && parseVerifierKey(value) !== null;

const MAX_RULES = 16;
/** Identifiers of known rules, ascending, each once; a rule that this page doesn't know can't be applied. */
const rules = (value) => (
  Array.isArray(value) && value.length <= MAX_RULES && value.every((id) => text(id) && isRule(id))
  && value.every((id, i) => i === 0 || value[i - 1] < id)
);

/** How many salted fields a receipt commits to. */
const FIELD_COUNT = 12;

const RECEIPT = {
  v: oneOf('twinproof-receipt/2'),
  type: oneOf('reply', 'fixed'),
  twin: isHex(32),
  manifest: isHex(32),
  seq: integer(1),
  attempt: integer(0, 65535),
  numbering: oneOf('operator', 'platform'),
  model: object({
    gguf: isHex(32), library: short, build: isHex(32), profile: oneOf('exact/1'), verdict: oneOf('exact', 'tolerant'),
  }, 'receipt’s model'),
  seed: object({ slot_tag: isHex(16), beacon: nothing }, 'seed'),
  fields: object({ root: isHex(32), count: oneOf(FIELD_COUNT) }, 'field commitment'),
  price: object({
    nano: amount, token: short, creator_nano: amount, operator_nano: amount, free_daily: amount,
  }, 'receipt’s price'),
  rule: nullOr(text),
  rate_table: nullOr(isHex(32)),
  payer: oneOf('free', 'sponsor', 'paid', 'promotional'),
  registry_block: nullOr(object({ chain: integer(1), number: amount, hash: isHex(32) }, 'registry block')),
  operator: isHex(32),
  time,
};

const MANIFEST = {
  v: oneOf('twinproof-manifest/2'),
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
  filter: object({
    policy: oneOf('stop-repeat/1'), stop_tokens: tokens, stop_strings: list(short), redraws: integer(0, 4),
  }, 'filter'),
  rules,
  knowledge: nothing,
  price: object({ nano: amount, token: symbol, free_daily: integer(0, 10000) }, 'manifest’s price'),
  split: (value) => isSplit(value) && value.creator_bp + value.operator_bp === 10000,
  creator: address,
  payout: address,
  operator: object({ signing_key: publicKey, vrf_key: publicKey }, 'operator’s keys'),
  log: (value) => isLog(value) && parseVerifierKey(value.key).name === value.origin,
  beacon: nothing,
  valid_from: time,
  valid_until: time,
};

const ORDER = {
  v: oneOf('twinproof-order/1'),
  twin: isHex(32),
  action: oneOf('pause', 'resume', 'revoke'),
  number: integer(1),
  manifest: nullOr(isHex(32)),
  log: (value) => text(value) && isKeyName(value),
  issued: time,
  expires: time,
};

const OUTCOME = {
  v: oneOf('twinproof-outcome/2'),
  receipt: isHex(32),
  outcome: oneOf('delivered', 'undelivered', 'withdrawn', 'refunded'),
};

const SEAL = {
  v: oneOf('twinproof-seal/1'),
  log: isLogKey,
  size: integer(0),
  root: isHex(32),
  kept: integer(0),
  successor: isLogKey,
};

const parser = (members, name) => (bytes) => {
  const value = parseCanonical(bytes);
  record(value, members, name);
  return value;
};

/** @param {Uint8Array} bytes @returns {any} */
export function parseReceipt(bytes) {
  const receipt = parser(RECEIPT, 'receipt')(bytes);
  if ((receipt.type === 'fixed') !== (receipt.rule !== null)) throw new Malformed('a fixed answer names its rule, and no other reply does');
  return receipt;
}

export const parseManifest = parser(MANIFEST, 'manifest');
export const parseOrder = parser(ORDER, 'order');
export const parseOutcome = parser(OUTCOME, 'outcome statement');
export const parseSeal = parser(SEAL, 'seal');
