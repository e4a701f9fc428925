/** What is sealed: the persona and the salted fields (formats.md sections 2, 7.1 and 9.2). */
import { concat, utf8 } from './bytes.js';
import { encodeCanonical, parseCanonical } from './canonical.js';
import {
  integer, isBase64Of, isHex, lineOf, list, nullOr, object, oneOf, record, text, textOf, titleOf, tokens,
} from './shape.js';

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
/** @param {any} value a span that cites a receipt if it is of an earlier turn, and is not empty if it is of this one */
const isWhole = (value) => isSpan(value) && (isEarlier(value.kind) ? value.receipt !== null : value.receipt === null && value.tokens.length > 0);

const MAX_PARTS = 16;
const isParts = list(object({ id: text, text }, 'part of the message'));
/** @param {any} value one to sixteen parts, each with an id of its own */
const parts = (value) => (
  isParts(value) && value.length >= 1 && value.length <= MAX_PARTS
  && new Set(value.map(({ id }) => id)).size === value.length
);
const eventId = nullOr(textOf(1, 200));
const isEvent = object({ halt: eventId, regenerate: eventId, replaces: nullOr(isHex(32)) }, 'event');

/** What one pair can add at most: two spans and what stands around them. */
const MAX_PAIR = 262144;
const isOlder = object({ receipt: isHex(32), tokens: integer(1, MAX_PAIR) }, 'turn that did not fit');

const FIELD_VALUES = {
  slot: object({ bot: text, chat: text, message: text, platform: text, thread: text }, 'slot'),
  conversation: object({ id: isHex(32) }, 'conversation'),
  turn: (value) => isTurn(value) && (value.n === 1) === (value.previous === null),
  message: object({ parts }, 'message'),
  spans: list(isWhole),
  context: object({ tokens }, 'context'),
  output: object({ tokens }, 'output'),
  reply: object({
    finish: oneOf('end', 'length', 'stop', 'stopped', 'cut', 'fixed'), rejected: integer(0, 4), text: textOf(1, 65536),
  }, 'reply'),
  event: (value) => isEvent(value) && (value.regenerate === null) === (value.replaces === null),
  choice: object({ older: nullOr(isOlder), start: integer(1) }, 'choice'),
  counts: object({ context: integer(0), output: integer(0) }, 'counts'),
  seed: object({ vrf_proof: isBase64Of(80) }, 'seed'),
};

/** Names of the salted fields in their order. */
export const FIELD_NAMES = Object.keys(FIELD_VALUES);

/** @type {import('./shape.js').Check} */
export const isSalt = isBase64Of(16);

const OPENINGS = {
  v: oneOf('twinproof-openings/2'),
  persona: object(PERSONA, 'persona'),
  fields: (value) => Array.isArray(value) && value.length === FIELD_NAMES.length && value.every(isField),
};

function isField(value, index) {
  const name = FIELD_NAMES[index];
  record(value, { name: oneOf(name), salt: isSalt, value: FIELD_VALUES[name] }, `field "${name}"`);
  return true;
}

/** @param {any} value @throws {import('./failure.js').Malformed} */
export const requirePersona = (value) => record(value, PERSONA, 'persona');

/** @param {string} name @param {any} value @returns {boolean} whether a field's value has the form of its name */
export const isFieldValue = (name, value) => FIELD_VALUES[name](value);

/** @param {Uint8Array} bytes @returns {{persona: any, fields: {name: string, salt: string, value: any}[]}} */
export function parseOpenings(bytes) {
  const value = parseCanonical(bytes);
  record(value, OPENINGS, 'sealed part');
  return value;
}

/** @param {string} name @param {Uint8Array} salt @param {any} value @returns {Uint8Array} data of the field's leaf */
export function fieldLeaf(name, salt, value) {
  const zero = Uint8Array.of(0);
  return concat(utf8('twinproof/v1/field'), zero, utf8(name), zero, salt, encodeCanonical(value));
}
