/** Rules of fixed answers (formats.md section 5.2); this page's own copy of docs/spec/rules.json. */

export const RULES = {
  v: 'twinproof-rules/1',
  rules: [{
    id: 'crisis/1',
    phrases: [
      'kill myself', 'killing myself', 'end my life', 'ending my life', 'take my own life',
      'taking my own life', 'take my life', 'want to die', 'wanna die', 'wish i was dead', 'wish i were dead',
      'better off dead', 'suicide', 'suicidal', 'hurt myself', 'hurting myself', 'harm myself',
      'harming myself', 'cut myself', 'cutting myself', 'self harm', 'self harming', 'dont want to live',
      'do not want to live', 'dont want to be alive', 'do not want to be alive', 'no reason to live',
    ],
    not: [
      'suicide squad', 'kill myself laughing', 'killing myself laughing', 'want to die laughing',
      'hurt myself laughing', 'cut myself shaving', 'cut myself a slice', 'cut myself a piece',
      'cut myself some slack', 'cutting myself some slack',
    ],
    text: "I'm an AI, and what you wrote worries me. Please talk to a person now. If you are in danger, call "
      + 'your local emergency number (112 in Europe, 911 in the US and Canada, 999 in the UK). In the US and '
      + 'Canada you can call or text 988 at any hour; findahelpline.com lists free, confidential lines in '
      + "other countries. You don't have to go through this alone.",
  }],
};

const BY_ID = new Map(RULES.rules.map((rule) => [rule.id, rule]));

/** @param {string} id @returns {boolean} */
export const isRule = (id) => BY_ID.has(id);

/** @param {string} id @returns {string} what the rule answers */
export const fixedText = (id) => BY_ID.get(id).text;

/**
 * Find the rule that answers a message.
 * @param {string[]} ids rules in force
 * @param {string} message
 * @returns {string|null} the first one that applies
 */
export function firstRule(ids, message) {
  const words = wordsOf(message);
  return ids.find((id) => applies(BY_ID.get(id), words)) ?? null;
}

/** @param {string} text @returns {string[]} the longest runs of ASCII letters, made small, without apostrophes */
export function wordsOf(text) {
  const small = text.replace(/['\u2019]/g, '').replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
  return small.match(/[a-z]+/g) ?? [];
}

/** @param {{phrases: string[], not: string[]}} rule @param {string[]} words @returns {boolean} */
function applies({ phrases, not }, words) {
  const stands = standing(phrases, words);
  if (stands.length === 0) return false;
  const reach = new Array(words.length).fill(0); // up to where an exception reaches that begins here, or before
  for (const [from, to] of standing(not, words)) reach[from] = Math.max(reach[from], to);
  for (let at = 1; at < reach.length; at += 1) reach[at] = Math.max(reach[at], reach[at - 1]);
  return stands.some(([start, end]) => reach[start] < end);
}

/** @param {string[]} phrases @param {string[]} words @returns {[number, number][]} first word, and the one after the last */
function standing(phrases, words) {
  const found = [];
  for (const phrase of phrases) {
    const wanted = phrase.split(' ');
    for (let at = words.indexOf(wanted[0]); at !== -1; at = words.indexOf(wanted[0], at + 1)) {
      if (wanted.every((word, i) => words[at + i] === word)) found.push([at, at + wanted.length]);
    }
  }
  return found;
}
