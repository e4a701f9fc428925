/** Draws the ladder of levels, with the question to a chain and the command of a replay in it. */
import { byId, copyText, make, showError, tell } from './dom.js';
import { askChain, readRpc } from './chain.js';
import { describeLevels } from './levels.js';

const SPOKEN = { done: 'reached', part: 'reached in part', open: 'not reached', bad: 'denied' };
const MARKS = { done: '✓', part: '✓', open: '', bad: '✗' };

/**
 * @param {import('../verify/result.d.ts').Result} result that did not fail
 * @param {{source: string, lookup: object|null, policy: object|null, command: string|null,
 *   rpc: string, onLookup: (lookup: object, rpc: string) => void}} circumstances
 */
export function drawLadder(result, circumstances) {
  const { proved } = result;
  const rungs = describeLevels(result, circumstances);
  const top = rungs.filter(({ state }) => state === 'done' || state === 'part').at(-1);
  byId('ladder-lead').textContent = `Checked in this browser up to ${result.levels.at(-1).replace('-unwitnessed', ', without witnesses')}. What stands above it was not checked here, whatever anybody says of it.`;
  byId('ladder').replaceChildren(...rungs.map((rung) => rungItem(rung, rung === top)));
  if (proved.anchor) byId('rung-L2').append(chainForm(proved.anchor, circumstances));
  if (circumstances.command && proved.said && proved.receipt.type === 'reply') byId('rung-L3').append(...replayBox(circumstances.command));
}

function rungItem({ level, title, state, status, label, shows, leaves, who }, isTop) {
  const mark = make('span', { className: 'mark', textContent: MARKS[state] });
  mark.setAttribute('aria-hidden', 'true');
  return make(
    'li',
    { className: `${state}${isTop ? ' top-rung' : ''}` },
    mark,
    make(
      'div',
      { id: `rung-${level}`, className: 'rung' },
      make(
        'h3',
        {},
        make('span', { className: 'level', textContent: level }),
        ` ${title} `,
        make('span', { className: 'unseen', textContent: `(${SPOKEN[state]}) ` }),
        make('span', { className: 'status', textContent: status }),
      ),
      make(
        'dl',
        {},
        row(label ?? (state === 'open' ? 'Would show' : 'Shows'), shows),
        row('Doesn’t show', leaves),
        row('Checked by', who),
      ),
    ),
  );
}

const row = (name, textContent) => make('div', {}, make('dt', { textContent: name }), make('dd', { textContent }));

/** The viewer's own RPC: a field, a button, and the answer on the rung. */
function chainForm(anchor, { policy, rpc, onLookup }) {
  const field = make('input', { id: 'rpc', type: 'url', inputMode: 'url', autocomplete: 'off', spellcheck: false, placeholder: 'https://…', value: rpc });
  field.setAttribute('aria-describedby', 'rpc-what rpc-error');
  const button = make('button', { type: 'submit', textContent: 'Ask this RPC' });
  const form = make(
    'form',
    { className: 'ask', noValidate: true },
    make('label', { htmlFor: 'rpc', textContent: `Your RPC for chain ${anchor.chain}` }),
    make('div', { className: 'field-row' }, field, button),
    make('p', { id: 'rpc-what', className: 'small', textContent: 'Your own node, or a provider that you chose: one that the operator runs or names shows nothing. It learns your network address and the epoch, neither the key nor the words.' }),
    make('p', { id: 'rpc-error', className: 'error', role: 'alert', hidden: true }),
  );
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const read = readRpc(field.value);
    showError('rpc-error', read.problem);
    if (read.problem) {
      field.focus();
      return;
    }
    button.disabled = true;
    button.textContent = 'Asking…';
    tell('Asking your RPC.');
    onLookup(await askChain(anchor, read.rpc, policy), field.value);
  });
  return form;
}

function replayBox(command) {
  const button = make('button', { type: 'button', id: 'copy', className: 'quiet', textContent: 'Copy the command' });
  button.addEventListener('click', () => copyText('command', button));
  return [
    make('pre', { id: 'command', tabIndex: 0, textContent: command, ariaLabel: 'Command for a replay' }),
    make('p', { className: 'buttons' }, button),
    make('p', { className: 'small', textContent: 'The command holds the key: who sees it can read the words.' }),
  ];
}
