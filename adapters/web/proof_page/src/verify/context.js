/** The rendering program `typed-spans/1` and the rules of output and finish (formats.md 5, 6). */

/**
 * Join spans into the model's context, or say which rule they break.
 * @param {any[]} spans
 * @param {any} rendering of the manifest
 * @returns {{tokens: number[]}|{broken: string}}
 */
export function renderContext(spans, rendering) {
  const kinds = spans.map((span) => span.kind).join(' ');
  if (!/^persona( fan twin)* message$/.test(kinds)) return { broken: 'the spans are not persona, pairs of fan and twin, message' };
  const pairs = [];
  for (let i = 1; i < spans.length - 1; i += 2) pairs.push([spans[i], spans[i + 1]]);
  const [first, last] = [spans[0], spans[spans.length - 1]];
  const cited = new Set(pairs.map(([fan]) => fan.receipt));
  if (cited.size !== pairs.length || !pairs.every(([fan, twin]) => fan.receipt === twin.receipt)) {
    return { broken: 'an earlier turn does not cite one receipt of its own' };
  }
  const earlier = pairs.flatMap(([fan, twin]) => [
    ...fan.tokens, ...rendering.fan_to_twin, ...twin.tokens, ...rendering.twin_to_fan,
  ]);
  const tokens = [
    ...rendering.before_persona, ...first.tokens, ...rendering.persona_to_fan,
    ...earlier, ...last.tokens, ...rendering.fan_to_twin,
  ];
  return { tokens };
}

/** Finishes of a reply that somebody ended before the model did: the fan, or the creator. */
export const HALTED = ['stopped', 'cut'];

/** @param {Record<string, any>} fields @returns {string} what the fan said, as the model was given it */
export const messageText = ({ message }) => message.parts.map(({ text }) => text).join('\n');

/**
 * Say which fields contradict each other, or nothing.
 * @param {Record<string, any>} fields
 * @returns {string|null}
 */
export function brokenFieldRule({ slot, message, reply, event }) {
  if (message.parts[0].id !== slot.message) return 'the first part of the message is another one than the seed belongs to';
  if (HALTED.includes(reply.finish) !== (event.halt !== null)) return 'the reply says that somebody ended it early, and not who, or the reverse';
  return null;
}

/**
 * Say which rule the quoted turns break, or nothing.
 * @param {Record<string, any>} fields with spans in their order
 * @returns {string|null}
 */
export function brokenTurnRule({ spans, turn, event }) {
  const pairs = (spans.length - 2) / 2;
  if (pairs >= turn.n) return 'the context holds more turns than there were';
  if (pairs > 0 && spans[spans.length - 2].receipt !== turn.previous) return 'the newest earlier turn is not the previous one';
  if (event.replaces === null) return null;
  const earlier = [turn.previous, ...spans.map(({ receipt }) => receipt)];
  return earlier.includes(event.replaces) ? 'the reply that this one replaces counts as an earlier turn' : null;
}

/** What stands for an empty reply; it can hold no stop string by itself. */
const EMPTY_REPLY = '…';

/**
 * Say what is wrong with output and reply, or nothing.
 * @param {Record<string, any>} fields
 * @param {any} manifest
 * @returns {string|null}
 */
export function brokenOutputRule({ output: { tokens: output }, reply, spans }, manifest) {
  const limit = manifest.sampler.max_tokens;
  const { stop_tokens: stopTokens, stop_strings: stopStrings } = manifest.filter;
  const committed = [output, ...spans.filter(({ kind }) => kind === 'twin').map(({ tokens }) => tokens)];
  if (output.length > limit) return 'the output is longer than the manifest allows';
  if (reply.finish === 'length' && output.length !== limit) return 'the reply says it was cut at the limit, and was not';
  if (reply.finish === 'end' && output.length === limit) return 'the reply says that it ended by itself, and was cut';
  if (reply.finish === 'stop' && (output.length === 0 || stopStrings.length === 0)) return 'no stop string can have ended the reply';
  if (HALTED.includes(reply.finish) && (output.length === 0 || output.length === limit)) return 'the reply was ended early, and has no word, or as many as it may';
  if (committed.flat().some((token) => stopTokens.includes(token))) return 'an output holds a stop token';
  if (reply.text !== EMPTY_REPLY && stopStrings.some((stop) => reply.text.includes(stop))) return 'the reply holds a stop string';
  return null;
}
