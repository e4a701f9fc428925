/** Draws what was said: the whole exchange, or the fields that somebody chose to show. */
import { make } from './dom.js';
import { FIELDS } from './facts.js';

/** @typedef {import('../verify/result.d.ts').Result} Result */

const AI_LABEL = 'AI twin';

/** @param {HTMLElement} place @param {Result} result whose contents are open, or partly */
export function drawTalk(place, { kind, opened, proved }) {
  const { said, disclosure, twin, receipt } = proved;
  if (opened) {
    const ends = { stopped: '■ stopped here by the fan', cut: '■ cut off here by the creator', length: '■ ended at its longest' }[said.finish];
    place.replaceChildren(
      bubble('fan', [whoWrote(said.parts)], said.parts.map(({ text }) => text)),
      bubble('twin', caption(twin, receipt), [said.reply], ends),
    );
  } else if (kind === 'disclosure') {
    place.replaceChildren(...disclosed(disclosure, twin, receipt));
  }
}

function bubble(className, captions, texts, end) {
  return make(
    'figure',
    { className },
    make('figcaption', {}, ...captions),
    ...texts.map((textContent) => make('blockquote', { textContent })),
    ...(end ? [make('p', { className: 'end', textContent: end })] : []),
  );
}

function whoWrote(parts) {
  return parts.length === 1 ? 'The fan' : `The fan, in ${parts.length} messages that were answered together`;
}

function caption(twin, receipt) {
  const tag = (textContent) => make('span', { className: 'tag', textContent });
  return [make('span', { textContent: twin.name }), tag(AI_LABEL), ...(receipt.type === 'fixed' ? [tag('fixed answer')] : [])];
}

function disclosed({ fields, persona }, twin, receipt) {
  const values = Object.fromEntries(fields.map(({ name, value }) => [name, value]));
  const open = Object.keys(FIELDS).filter((name) => name in values || (name === 'persona' && persona));
  const closed = Object.keys(FIELDS).filter((name) => !open.includes(name));
  const { message, reply } = values;
  const others = open.filter((name) => !['message', 'reply'].includes(name));
  return [
    message ? bubble('fan', [whoWrote(message.parts)], message.parts.map(({ text }) => text)) : shut('fan', 'The fan’s message is not shown'),
    reply ? bubble('twin', caption(twin, receipt), [reply.text]) : shut('twin', 'The reply is not shown'),
    ...others.map((name) => make(
      'div',
      { className: 'field' },
      make('h3', { textContent: FIELDS[name] }),
      make('pre', { textContent: JSON.stringify(name === 'persona' ? persona : values[name], null, 2), tabIndex: 0 }),
    )),
    make('p', { className: 'closed', textContent: closed.length ? `Closed in this file: ${closed.map((name) => FIELDS[name]).join(', ')}.` : 'Nothing is closed in this file.' }),
  ];
}

function shut(className, textContent) {
  return make('p', { className: `shut ${className}`, textContent });
}
