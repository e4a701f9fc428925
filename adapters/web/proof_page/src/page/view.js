/** Draws a result. A failed one hides everything that came with it. */
import { byId, make, tell } from './dom.js';
import { describeFacts, describeWho } from './facts.js';
import { drawLadder } from './ladder.js';
import { describeLimits } from './limits.js';
import { describeNotes } from './notes.js';
import { drawTalk } from './talk.js';
import { describeStep, describeVerdict } from './words.js';

/** @typedef {import('../verify/result.d.ts').Result} Result */

const MARKS = { passed: '✓', failed: '✗' };
const SPOKEN = { passed: 'passed', failed: 'failed', hidden: 'closed', absent: 'not checked', skipped: 'not checked', omitted: 'left out' };
const SECTIONS = ['exchange', 'closed', 'notes', 'who', 'checked', 'limits', 'further'];

/**
 * Show that there is nothing to report yet.
 * @param {'waiting'|'pending'|'unavailable'} verdict
 * @param {string} title
 * @param {...string} paragraphs
 */
export function showNothing(verdict, title, ...paragraphs) {
  delete document.documentElement.dataset.levels;
  for (const id of SECTIONS) byId(id).hidden = true;
  showVerdict(verdict, { title, paragraphs, chips: [], tone: 'plain' });
}

/**
 * @param {Result} result
 * @param {{source: string, lookup: object|null, policy: object|null}} circumstances
 */
export function showResult(result, circumstances) {
  const { proved, failure } = result;
  document.documentElement.dataset.levels = result.levels.join(' ');
  const genuine = failure === null;
  for (const id of SECTIONS) byId(id).hidden = !genuine;
  for (const id of ['talk', 'who-list', 'ladder', 'limits-list', 'notes', 'facts', 'raw', 'raw-manifest', 'raw-fields']) byId(id).replaceChildren();
  byId('steps').replaceChildren(...result.steps.map((step) => stepItem(step, result)));
  if (genuine) {
    showGenuine(result, circumstances);
  } else {
    // The way back stays open where the viewer's own keys may be what was not met.
    byId('checked').hidden = false;
    byId('further').hidden = circumstances.policy === null;
  }
  for (const id of ['keep', 'share', 'technical']) byId(id).hidden = !genuine;
  byId('ladder-lead').hidden = !genuine;
  byId('steps-fold').open = !genuine;
  document.title = genuine ? `Proof of ${proved.twin.name} · Twinproof` : 'FALSE proof · Twinproof';
  const verdict = describeVerdict(result, circumstances.source);
  showVerdict(result.verdict, verdict);
  tell(`Result: ${verdict.title}.`);
}

function showVerdict(verdict, { title, paragraphs, chips, tone }) {
  Object.assign(document.documentElement.dataset, { verdict, tone });
  byId('verdict-title').textContent = title;
  byId('verdict-body').replaceChildren(...paragraphs.map((textContent) => make('p', { textContent })));
  byId('chips').hidden = chips.length === 0;
  byId('chips').replaceChildren(...chips.map((textContent) => make('li', { className: 'chip', textContent })));
  byId('again-row').hidden = verdict !== 'unavailable';
  if (!['verified', 'failed'].includes(verdict)) tell(title);
}

/** What only a genuine proof may show. */
function showGenuine(result, circumstances) {
  const { proved, kind, opened } = result;
  byId('exchange').hidden = !opened && kind === 'bundle';
  byId('closed').hidden = opened || kind === 'disclosure';
  byId('exchange-title').textContent = kind === 'disclosure' ? 'What is shown of it' : 'What was said';
  drawTalk(byId('talk'), result);
  drawNotes(describeNotes(proved));
  byId('who-list').replaceChildren(...describeWho(proved).map(([name, value, remark]) => make(
    'div',
    {},
    make('dt', { textContent: name }),
    make('dd', {}, make('span', { className: 'value', textContent: value }), ...(remark ? [make('span', { className: 'remark', textContent: remark })] : [])),
  )));
  drawLadder(result, circumstances);
  byId('limits-list').replaceChildren(...describeLimits(result).map(([claim, why]) => (
    make('li', {}, make('b', { textContent: claim }), ` ${why}`)
  )));
  byId('facts').replaceChildren(...describeFacts(proved).flatMap(([name, value]) => [
    make('dt', { textContent: name }), make('dd', { textContent: value }),
  ]));
  drawRaw(proved);
}

function drawNotes(notes) {
  byId('notes').hidden = notes.length === 0;
  byId('notes').replaceChildren(...notes.map(({ tone, title, sentence }) => (
    make('li', { className: tone }, make('strong', { textContent: title }), make('span', { textContent: sentence }))
  )));
}

function drawRaw({ raw, said, disclosure }) {
  const show = (id, value) => { byId(id).textContent = JSON.stringify(value, null, 2); };
  show('raw', raw.receipt);
  show('raw-manifest', raw.manifest);
  const fields = said?.fields ?? (disclosure && Object.fromEntries(disclosure.fields.map(({ name, value }) => [name, value])));
  byId('raw-opened').hidden = !fields;
  if (fields) show('raw-fields', fields);
}

function stepItem(step, result) {
  const { title, sentence } = describeStep(step, result);
  const mark = make('span', { className: 'mark', textContent: MARKS[step.state] ?? '–' });
  mark.setAttribute('aria-hidden', 'true');
  const heading = make(
    'div',
    {},
    make('strong', { textContent: title }),
    make('span', { className: 'n', textContent: `  step ${step.n}` }),
    make('span', { className: 'unseen', textContent: `: ${SPOKEN[step.state]}` }),
  );
  return make('li', { className: step.state }, mark, heading, make('p', { textContent: sentence }));
}
