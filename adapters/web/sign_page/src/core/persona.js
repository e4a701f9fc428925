/**
 * Whether a persona text is the one whose hash a manifest holds.
 *
 * A manifest has the hash of the persona's canonical JSON, the page is given its text
 * (formats.md section 2). The text can be read back but for one thing: topics are joined with ", ",
 * which may stand inside a topic too. So every way of cutting that line is tried, the one with the
 * most topics first, up to a limit that no ordinary persona comes near.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { Malformed, encodeCanonical, toHex, utf8 } from './shared.js';

const MOST_TRIES = 50_000;
const TOPICS = 'You don\'t talk about: ';

/**
 * @param {string} text
 * @param {string} name the twin's display name
 * @param {string} wanted hexadecimal
 * @returns {boolean}
 */
export function isPersonaText(text, name, wanted) {
  const { topics, ...persona } = readPersonaText(text, name);
  // Keys are in canonical order: examples, facts, name, off_limits, role, v.
  const whole = new TextDecoder().decode(encodeCanonical({ v: 'twinproof-persona/1', off_limits: [], ...persona }));
  const at = whole.lastIndexOf(',"off_limits":[]') + ',"off_limits":'.length;
  const before = sha256.create().update(utf8(whole.slice(0, at)));
  const after = utf8(whole.slice(at + 2));
  for (const cut of waysToCut(topics)) {
    if (toHex(before.clone().update(encodeCanonical(cut)).update(after).digest()) === wanted) return true;
  }
  return false;
}

/** @param {string} text @param {string} name */
function readPersonaText(text, name) {
  const lines = text.split('\n');
  const first = lines.shift() ?? '';
  const start = `You are ${name}, `;
  if (!first.startsWith(start) || !first.endsWith('.')) throw new Malformed('its first line does not name the twin');
  const persona = { name, role: first.slice(start.length, -1), facts: [], examples: [] };
  if (lines[0] === 'About you:') {
    lines.shift();
    while (lines[0]?.startsWith('- ')) persona.facts.push(lines.shift().slice(2));
  }
  let topics = null;
  if (lines[0]?.startsWith(TOPICS) && lines[0].endsWith('.')) topics = lines.shift().slice(TOPICS.length, -1);
  if (lines[0] === 'Examples:') {
    lines.shift();
    while (lines[0]?.startsWith('Fan: ') && lines[1]?.startsWith(`${name}: `)) {
      const [fan, twin] = lines.splice(0, 2);
      persona.examples.push({ fan: fan.slice('Fan: '.length), twin: twin.slice(name.length + 2) });
    }
  }
  if (lines.length > 0) throw new Malformed('it has a line that no persona text has');
  return { ...persona, topics };
}

/** @param {string|null} topics @returns {Generator<string[]>} fewest joints first */
function* waysToCut(topics) {
  if (topics === null) {
    yield [];
    return;
  }
  const parts = topics.split(', ');
  let tries = 0;
  for (let joints = 0; joints < parts.length; joints += 1) {
    for (const joined of choices(parts.length - 1, joints)) {
      tries += 1;
      if (tries > MOST_TRIES) throw new Malformed('its topics have too many commas to be told apart');
      yield parts.reduce((cut, part, i) => (
        joined.has(i - 1) ? cut.with(-1, `${cut.at(-1)}, ${part}`) : [...cut, part]
      ), []);
    }
  }
}

/** @param {number} size @param {number} count @param {number} [from] @returns {Generator<Set<number>>} */
function* choices(size, count, from = 0) {
  if (count === 0) {
    yield new Set();
    return;
  }
  for (let first = from; first <= size - count; first += 1) {
    for (const rest of choices(size, count - 1, first + 1)) yield rest.add(first);
  }
}
