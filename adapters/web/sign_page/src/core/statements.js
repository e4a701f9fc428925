/** What gets signed, read from its canonical JSON: a manifest or an order (formats.md 3 and 3.1). */
import { checksumAddress } from './keys.js';
import {
  Malformed, decimal, fromHex, integer, isHex, isRule, list, nullOr, object, oneOf, parseCanonical, record, sha256, text, textOf,
  time, titleOf, toHex, tokens, upTo, utf8,
} from './shared.js';
import { digestOf, typedDataOf } from './typed_data.js';

const nothing = oneOf(null);
const hash = isHex(32);
const short = textOf(1, 64);
const amount = integer(0);
const count = integer(1, 65536);
const MAX_OPERATOR_BP = 3000;
const isSplit = object({ creator_bp: amount, operator_bp: integer(0, MAX_OPERATOR_BP) }, 'split');
const address = (value) => (
  text(value) && /^0x[0-9a-fA-F]{40}$/.test(value) && checksumAddress(fromHex(value.slice(2).toLowerCase())) === value
);
const MAX_RULES = 16;
/** Known rules of fixed answers (formats.md section 5.2), ascending, each once. */
const rules = (value) => (
  Array.isArray(value) && value.length <= MAX_RULES && value.every((id) => text(id) && isRule(id))
  && value.every((id, i) => i === 0 || value[i - 1] < id)
);

const MANIFEST = {
  v: oneOf('twinproof-manifest/2'),
  twin: hash,
  slug: (value) => text(value) && /^[a-z0-9][a-z0-9_-]{0,63}$/.test(value),
  name: titleOf(64),
  version: integer(1),
  previous: nullOr(hash),
  persona: hash,
  model: object({ name: titleOf(64), gguf: hash, size_bytes: integer(1), lora: nothing }, 'model'),
  engine: object({ library: titleOf(64), profile: oneOf('exact/1'), isa: oneOf('x86-64-v3') }, 'engine'),
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
  price: object({
    nano: amount, token: (value) => text(value) && /^[A-Za-z0-9._-]{1,16}$/.test(value), free_daily: integer(0, 10000),
  }, 'price'),
  split: (value) => isSplit(value) && value.creator_bp + value.operator_bp === 10000,
  creator: address,
  payout: address,
  operator: object({ signing_key: hash, vrf_key: hash }, 'operator’s keys'),
  log: object({ origin: short, key: text }, 'log'),
  beacon: nothing,
  valid_from: time,
  valid_until: time,
};

const ORDER = {
  v: oneOf('twinproof-order/1'),
  twin: hash,
  action: oneOf('pause', 'resume', 'revoke'),
  number: integer(1),
  manifest: nullOr(hash),
  log: textOf(1, 128),
  issued: time,
  expires: time,
};

/**
 * @typedef {object} Statement
 * @property {'manifest'|'order'} form
 * @property {any} value the parsed body
 * @property {Record<string, string>} message fields of the EIP-712 struct
 * @property {object} typedData
 * @property {Uint8Array} digest
 */

/**
 * @param {string} body canonical JSON
 * @param {string} name the twin's display name; an order does not hold it
 * @returns {Statement}
 */
export function readStatement(body, name) {
  const bytes = utf8(body);
  const value = parseCanonical(bytes);
  const form = value?.v === 'twinproof-order/1' ? 'order' : 'manifest';
  record(value, form === 'order' ? ORDER : MANIFEST, form);
  const primaryType = form === 'order' ? 'TwinOrder' : 'TwinManifest';
  const own = `0x${toHex(sha256(bytes))}`;
  const message = form === 'order' ? orderMessage(value, name, own) : manifestMessage(value, own);
  return {
    form, value, message, typedData: typedDataOf(primaryType, message), digest: digestOf(primaryType, message),
  };
}

function manifestMessage(manifest, manifestHash) {
  const { split, price } = manifest;
  return {
    name: manifest.name,
    twin: `0x${manifest.twin}`,
    persona: `0x${manifest.persona}`,
    model: `0x${manifest.model.gguf}`,
    manifest: manifestHash,
    price: `${decimalAmount(BigInt(price.nano))} ${price.token} per reply, ${price.free_daily} a day free`,
    split: `creator ${percent(split.creator_bp)}, operator ${percent(split.operator_bp)}`,
    payout: manifest.payout,
    operatorKey: `0x${manifest.operator.signing_key}`,
    logOrigin: manifest.log.origin,
    validFrom: manifest.valid_from,
    validUntil: manifest.valid_until,
  };
}

function orderMessage(order, name, orderHash) {
  if (order.manifest !== null && order.action !== 'revoke') throw new Malformed('only a revocation names a version');
  return {
    action: order.action,
    name,
    twin: `0x${order.twin}`,
    manifest: `0x${order.manifest ?? '0'.repeat(64)}`,
    order: orderHash,
    logOrigin: order.log,
    issued: order.issued,
    expires: order.expires,
  };
}

/** @param {bigint} nano @returns {string} nano / 1e9 without exponent and trailing zeros */
function decimalAmount(nano) {
  const fraction = (nano % 1000000000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${nano / 1000000000n}${fraction && `.${fraction}`}`;
}

/** @param {number} basisPoints @returns {string} */
const percent = (basisPoints) => `${Math.floor(basisPoints / 100)}.${String(basisPoints % 100).padStart(2, '0')} %`;
