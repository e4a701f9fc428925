/** Draws a report. A failed one hides everything that came with it. */
import { toHex } from '../verify/bytes.js';
import { receiptIdOf } from '../verify/link.js';
import { byId, make } from './dom.js';
import { describeFacts, describeFan, describeLimits, describeReply, describeStep, describeVerdict } from './words.js';

const MARKS = { passed: '✓', failed: '✗', hidden: '–', absent: '–', skipped: '–' };
const SPOKEN = { passed: 'passed', failed: 'failed', hidden: 'hidden', absent: 'not checked', skipped: 'not checked' };

/**
 * Show that there is nothing to report yet.
 * @param {'waiting'|'unavailable'} verdict
 * @param {string} title
 * @param {...string} paragraphs
 */
export function showNothing(verdict, title, ...paragraphs) {
  document.documentElement.dataset.verdict = verdict;
  delete document.documentElement.dataset.levels;
  for (const id of ['exchange', 'checked', 'limits', 'further']) byId(id).hidden = true;
  showVerdict({ title, paragraphs, chips: [] });
}

/**
 * @param {import('../verify/verify.js').Report} report
 * @param {string} source who named the keys, where the person did not
 */
export function showReport(report, source) {
  const { failure, found, levels } = report;
  document.documentElement.dataset.verdict = failure ? 'failed' : 'verified';
  document.documentElement.dataset.levels = levels.join(' ');
  showVerdict(describeVerdict(report, source));
  byId('steps').replaceChildren(...report.steps.map((step) => stepItem(step, found)), replayItem(failure));
  byId('checked').hidden = false;
  for (const id of ['limits', 'further']) byId(id).hidden = failure !== null && !(id === 'further' && failure.step === 10);
  byId('replay-card').hidden = failure !== null || found.key === null;
  byId('technical').hidden = failure !== null;
  byId('exchange').hidden = failure !== null || !found.openings;
  byId('exchange').replaceChildren();
  document.title = failure ? 'FALSE proof · Twinproof' : `Proof of ${found.manifest.name} · Twinproof`;
  if (!failure) showGenuine(report);
}

function showVerdict({ title, paragraphs, chips }) {
  byId('verdict-title').textContent = title;
  const list = make('p', { className: 'chips' }, ...chips.map((chip) => make('span', { className: 'chip', textContent: chip })));
  byId('verdict-body').replaceChildren(...paragraphs.map((textContent) => make('p', { textContent })), ...(chips.length ? [list] : []));
}

/** What only a verified bundle may show. */
function showGenuine(report) {
  const { found } = report;
  if (found.openings) showExchange(found);
  byId('limits-list').replaceChildren(...describeLimits(report).map(([claim, why]) => (
    make('li', {}, make('b', { textContent: claim }), ` ${why}`)
  )));
  const { hash } = found.bundle.receipt;
  const facts = describeFacts({ ...report, receiptId: receiptIdOf(hash), receiptHash: toHex(hash) });
  byId('facts').replaceChildren(...facts.flatMap(([name, value]) => [
    make('dt', { textContent: name }), make('dd', { textContent: value }),
  ]));
  byId('raw').textContent = JSON.stringify(found.receipt, null, 2);
}

function showExchange(found) {
  const { manifest, openings: { fields } } = found;
  const said = (className, caption, texts, notes = []) => make(
    'figure',
    { className },
    make('figcaption', {}, ...caption),
    ...texts.map((textContent) => make('blockquote', { textContent })),
    ...notes.map((textContent) => make('p', { className: 'note', textContent })),
  );
  const label = make('span', { className: 'tag', textContent: 'AI twin' });
  byId('exchange').className = 'talk';
  byId('exchange').append(
    said('fan', [describeFan(fields)], fields.message.parts.map(({ text }) => text)),
    said('twin', [make('span', { textContent: manifest.name }), label], [fields.reply.text], describeReply(found)),
  );
}

function stepItem(step, found) {
  const { title, sentence } = describeStep(step, found);
  return item(step.state, `${step.n}`, title, sentence);
}

/** The last line of the list: what a browser does not do. */
function replayItem(failure) {
  const sentence = failure
    ? 'Not done: what has failed needs no replay.'
    : 'Not done in the browser: whoever has the key and the public model can do it on their own machine.';
  return item('absent', 'L3', 'Replay', sentence);
}

function item(state, number, title, sentence) {
  const mark = make('span', { className: 'mark', textContent: MARKS[state] });
  mark.setAttribute('aria-hidden', 'true');
  const heading = make(
    'div',
    {},
    make('strong', { textContent: title }),
    make('span', { className: 'n', textContent: `  ${number === 'L3' ? number : `step ${number}`}` }),
    make('span', { className: 'unseen', textContent: `: ${SPOKEN[state]}` }),
  );
  return make('li', { className: state }, mark, heading, make('p', { textContent: sentence }));
}
