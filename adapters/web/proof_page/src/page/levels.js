/** The ladder: what each level shows and does not, whether it was checked here, and by whom. */
import { chainName, day, plural, short } from './forms.js';

/** @typedef {import('../verify/result.d.ts').Result} Result */
/** @typedef {import('../verify/result.d.ts').Lookup} Lookup */

/**
 * @typedef {object} Rung
 * @property {string} level
 * @property {string} title
 * @property {'done'|'part'|'open'|'bad'} state
 * @property {string} status what was done here, in a few words
 * @property {string} [label] of what it shows, where it is neither shown nor only to be shown
 * @property {string} shows
 * @property {string} leaves what it does not show
 * @property {string} who
 */

/**
 * @param {Result} result that did not fail
 * @param {{source: string, lookup: Lookup|null, policy: object|null}} circumstances
 * @returns {Rung[]} from the lowest to the highest
 */
export function describeLevels(result, circumstances) {
  return [signed, logged, anchored, replayed, audited].map((describe) => describe(result, circumstances));
}

const byBrowser = (trust, source) => `This browser, just now, with the keys ${trust === 'policy' ? 'of your own policy' : `that ${source} names`}.`;

function signed({ trust, opened, kind, proved: { twin } }, { source }) {
  const what = { true: 'this message and this reply, to the letter', false: 'one reply of this twin; what it says stays closed' }[opened];
  return {
    level: 'L0',
    title: 'Signed',
    state: 'done',
    status: 'checked here, now',
    shows: `The operator’s key signed ${kind === 'disclosure' ? 'the fields that are shown' : what}. The creator’s key signed version ${twin.version} of the twin: persona, weights, price and keys.`,
    leaves: 'That the words are true, or that the model gave them.',
    who: byBrowser(trust, source),
  };
}

function logged({ trust, levels, proved: { log, witnesses, seals } }, { source }) {
  const witnessed = !levels.includes('L1-unwitnessed');
  const others = witnesses.others === 0 ? '' : ` ${plural(witnesses.others, 'signature')} of others on it ${witnesses.others === 1 ? 'was' : 'were'} not checked and count${witnesses.others === 1 ? 's' : ''} for nothing: you have not named their keys.`;
  const names = witnesses.counted.map(({ name, text }) => `${name} (${day(text)})`).join(', ');
  return {
    level: 'L1',
    title: 'Logged',
    state: witnessed ? 'done' : 'part',
    status: witnessed ? 'checked here, now' : 'checked here, without witnesses',
    shows: `The reply is entry ${log.index} of ${log.size} in the log ${log.origin}${seals.length ? `, which continues ${log.named}` : ''}: a list that is only ever added to. Taken out or changed later, it would be missed.${names ? ` Cosigned by ${names}.` : ''}`,
    leaves: witnessed
      ? 'That a witness has read the replies: it watches that the log never goes back on what it showed.'
      : `That everybody is shown the same list: no witness of yours has cosigned it.${others}`,
    who: byBrowser(trust, source),
  };
}

function anchored({ proved: { anchor } }, { lookup }) {
  const rung = {
    level: 'L2',
    title: 'Anchored',
    state: 'open',
    status: 'not checked here',
    shows: 'That the log’s root stands on a public blockchain, where the operator can’t take it back.',
    leaves: 'Anything about the words; and nothing at all if the operator runs the chain, the contract or the RPC.',
    who: 'Nobody, here.',
  };
  if (!anchor) return { ...rung, who: 'Nobody: this proof names no anchor, so there is nothing to look up.' };
  const claim = `${chainName(anchor.chain)}, contract ${anchor.contract}, epoch ${anchor.epoch}`;
  const open = { ...rung, status: 'claimed, not checked', label: 'Claims', shows: `That the log’s root stands on ${claim}. Nothing here has checked that, and the contract’s name is a claim too.` };
  if (!lookup) return { ...open, who: 'Nobody yet. Ask a node that you trust:' };
  return { ...open, ...lookedUp(lookup, anchor, claim) };
}

function lookedUp({ state, reason, block }, anchor, claim) {
  const where = `${claim}, block ${block}`;
  if (state === 'confirmed') {
    return { state: 'done', status: 'checked here, now', label: 'Shows', shows: `The log’s root, which holds this reply, stands on ${where}, in a contract that your policy names.`, who: 'This browser, just now, by asking the RPC that you chose.' };
  }
  if (state === 'some-contract') {
    return { status: 'asked; the level is not reached', label: 'Found', shows: `A contract has the log’s root: ${where}. Nobody you named has told you that this is the right contract, so it doesn’t raise the level.`, who: 'This browser, just now, by asking the RPC that you chose. Name the contract in your trust policy to make it count.' };
  }
  if (state === 'denied') {
    return { state: 'bad', status: 'the chain says otherwise', label: 'Found', shows: `The claim does not hold: ${reason}.`, leaves: 'That the reply is false: signatures and log stand for themselves. But what the proof says about a chain is not so.', who: 'This browser, just now, by asking the RPC that you chose.' };
  }
  return { who: `This browser asked, and got no answer that it can use: ${reason}. Nothing is known.` };
}

function replayed({ proved: { receipt, said, model } }) {
  const rung = {
    level: 'L3',
    title: 'Replayed',
    state: 'open',
    status: 'not done here',
    shows: 'That the public weights, run again on your own computer with this seed, give these very words.',
    leaves: 'That the words are true.',
    who: 'Nobody, here: a browser doesn’t have the model. You can, with the model file',
  };
  if (receipt.type === 'fixed') return { ...rung, status: 'nothing to replay', shows: 'A fixed answer comes from no model: the steps above show all of it.', who: 'There is nothing to run again.' };
  if (!said) return { ...rung, who: 'Nobody, here. A replay needs the key.' };
  return { ...rung, who: `${rung.who} ${model.name} (SHA-256 ${short(model.gguf)}) and a clone of Twinproof:` };
}

function audited(_result, { policy }) {
  const named = policy?.auditors?.length ?? 0;
  return {
    level: 'L4',
    title: 'Audited',
    state: 'open',
    status: 'not checked here',
    shows: 'That auditors of your choice replayed a sample, drawn after the replies were logged, with this one in it.',
    leaves: 'Anything about replies outside the sample.',
    who: named
      ? `Nobody, here. Your policy names ${plural(named, 'auditor')}; their verdicts stand in the log, and this page reads one proof only.`
      : 'Nobody, here. Auditors count only if your trust policy names their keys.',
  };
}
