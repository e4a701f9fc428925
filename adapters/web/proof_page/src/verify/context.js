/** The rendering program `typed-spans/1` and the rules of turns, output and finish (formats.md 5 to 7). */
import { firstRule, fixedText } from './fixed_answers.js';

/** @typedef {Record<string, any>} Fields the opened fields by their names */

/** Finishes of a reply that somebody ended before the model did: the fan, or the creator. */
export const HALTED = ['stopped', 'cut'];

/** What stands for an empty reply; it can hold no stop string by itself. */
const EMPTY_REPLY = '…';

/** @param {Fields} fields @returns {string} what the fan said, as the model was given it */
export const messageText = ({ message }) => message.parts.map(({ text }) => text).join('\n');

/** @param {any[]} spans in the order of the grammar @returns {[any, any][]} earlier turns: fan and twin */
export function pairsOf(spans) {
  const pairs = [];
  for (let i = 1; i < spans.length - 1; i += 2) pairs.push([spans[i], spans[i + 1]]);
  return pairs;
}

/**
 * Say which fields contradict each other, or nothing.
 * @param {Fields} fields
 * @returns {string|null}
 */
export function brokenFieldRule({ slot, message, reply, event }) {
  if (message.parts[0].id !== slot.message) return 'the first part of the message is another one than the seed belongs to';
  if (HALTED.includes(reply.finish) !== (event.halt !== null)) return 'the reply says that somebody ended it early, and not who, or the reverse';
  return null;
}

/**
 * Say what a fixed answer breaks, or nothing.
 * @param {Fields} fields
 * @param {any} receipt
 * @param {any} manifest
 * @returns {string|null}
 */
export function brokenFixedRule(fields, receipt, manifest) {
  const { spans, context, output, reply, event, choice, counts, turn } = fields;
  const anything = spans.length + context.tokens.length + output.tokens.length + counts.context + counts.output;
  if (anything !== 0) return 'a fixed answer has spans, context or output, as if a model had been asked';
  if (reply.finish !== 'fixed' || reply.rejected !== 0) return 'a fixed answer does not end as one';
  if (Object.values(event).some((value) => value !== null)) return 'a fixed answer names somebody who acted on it';
  if (choice.older !== null || choice.start !== turn.n) return 'a fixed answer names turns that it does not quote';
  if (firstRule(manifest.rules, messageText(fields)) !== receipt.rule) return 'the rule of the fixed answer is not the one for this message';
  return reply.text === fixedText(receipt.rule) ? null : 'the fixed answer is not the text of its rule';
}

/**
 * Say what a generated reply breaks, or nothing.
 * @param {Fields} fields
 * @param {any} manifest
 * @returns {string|null}
 */
export function brokenReplyRule(fields, manifest) {
  if (firstRule(manifest.rules, messageText(fields)) !== null) return 'a fixed answer belongs to this message, and a model was asked instead';
  return brokenContextRule(fields, manifest.rendering) ?? brokenTurnRule(fields)
    ?? brokenChoiceRule(fields, manifest.rendering) ?? brokenOutputRule(fields, manifest)
    ?? brokenRedrawRule(fields, manifest.filter);
}

function brokenContextRule({ spans, context: { tokens: context } }, rendering) {
  const kinds = spans.map((span) => span.kind).join(' ');
  if (!/^persona( fan twin)* message$/.test(kinds)) return 'the spans are not persona, pairs of fan and twin, message';
  const parts = contextParts(spans, rendering);
  // Added up first: what is too long is never built.
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  if (size > rendering.window_tokens) return 'the context is longer than the window';
  return sameTokens(parts.flat(), context) ? null : 'the spans do not render to the context';
}

/** @param {any[]} spans @param {any} rendering of the manifest @returns {number[][]} what the model's context is joined from */
function contextParts(spans, rendering) {
  const [first, last] = [spans[0], spans[spans.length - 1]];
  return [
    rendering.before_persona, first.tokens, rendering.persona_to_fan,
    ...pairsOf(spans).flatMap(([fan, twin]) => [fan.tokens, rendering.fan_to_twin, twin.tokens, rendering.twin_to_fan]),
    last.tokens, rendering.fan_to_twin,
  ];
}

function brokenTurnRule({ spans, turn, event }) {
  const pairs = pairsOf(spans);
  const cited = new Set(pairs.map(([fan]) => fan.receipt));
  if (cited.size !== pairs.length || !pairs.every(([fan, twin]) => fan.receipt === twin.receipt)) {
    return 'an earlier turn does not cite one receipt of its own';
  }
  if (pairs.length >= turn.n) return 'the context holds more turns than there were';
  if (pairs.length > 0 && pairs[pairs.length - 1][0].receipt !== turn.previous) return 'the newest earlier turn is not the previous one';
  const replaced = event.replaces !== null && (cited.has(event.replaces) || turn.previous === event.replaces);
  return replaced ? 'the reply that this one replaces counts as an earlier turn' : null;
}

/** Whether the choice of turns is the one that the window made. */
function brokenChoiceRule({ spans, context, output, choice: { older, start }, counts, turn, event }, rendering) {
  const pairs = pairsOf(spans);
  if (counts.context !== context.tokens.length || counts.output !== output.tokens.length) return 'the counts are not those of context and output';
  if (start > turn.n) return 'the chain of turns begins after this one';
  const missing = turn.n - start - pairs.length;
  if (missing < 0) return 'the context quotes turns from before the chain began';
  if ((older === null) !== (missing === 0)) return 'turns were left out, and not which, or the reverse';
  if (older === null) return null;
  if (counts.context + older.tokens <= rendering.window_tokens) return 'a turn was left out that would have fitted';
  if (spans.some(({ receipt }) => receipt === older.receipt)) return 'the turn that was left out is quoted';
  if (older.receipt === event.replaces) return 'the reply that this one replaces counts as a turn that was left out';
  const isPrevious = older.receipt === turn.previous;
  return pairs.length === 0 && !isPrevious ? 'the turn that was left out first is not the previous one' : null;
}

function brokenOutputRule({ output: { tokens: output }, reply, spans }, manifest) {
  const limit = manifest.sampler.max_tokens;
  const { stop_tokens: stopTokens, stop_strings: stopStrings } = manifest.filter;
  const stops = new Set(stopTokens);
  const committed = [output, ...spans.filter(({ kind }) => kind === 'twin').map(({ tokens }) => tokens)];
  if (reply.finish === 'fixed') return 'the reply says that it is a fixed answer, and its receipt does not';
  if (output.length > limit) return 'the output is longer than the manifest allows';
  if (reply.finish === 'length' && output.length !== limit) return 'the reply says it was cut at the limit, and was not';
  if (reply.finish === 'end' && output.length === limit) return 'the reply says that it ended by itself, and was cut';
  if (reply.finish === 'stop' && (output.length === 0 || stopStrings.length === 0)) return 'no stop string can have ended the reply';
  if (HALTED.includes(reply.finish) && (output.length === 0 || output.length === limit)) return 'the reply was ended early, and has no word, or as many as it may';
  if (committed.some((tokens) => tokens.some((token) => stops.has(token)))) return 'an output holds a stop token';
  if (output.length === 0 && reply.text !== EMPTY_REPLY) return 'the reply has a text, and no token that gives it';
  if (reply.text !== EMPTY_REPLY && stopStrings.some((stop) => reply.text.includes(stop))) return 'the reply holds a stop string';
  return null;
}

/** Whether the filter was obeyed: rejected attempts had a cause, and what is kept had to be. */
function brokenRedrawRule({ spans, output, reply: { rejected, finish } }, { redraws }) {
  if (rejected > redraws) return 'more attempts were rejected than the creator allowed';
  const message = spans[spans.length - 1];
  const strangers = pairsOf(spans).filter(([fan]) => !sameTokens(fan.tokens, message.tokens));
  if (rejected > 0 && strangers.length === 0) return 'attempts were rejected, and there is nothing that they can have repeated';
  if (rejected === redraws || HALTED.includes(finish) || output.tokens.length === 0) return null;
  const repeats = strangers.some(([, twin]) => sameTokens(twin.tokens, output.tokens));
  return repeats ? 'the reply repeats an earlier one, and had to be drawn again' : null;
}

const sameTokens = (left, right) => left.length === right.length && left.every((token, i) => token === right[i]);
