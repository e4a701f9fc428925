/** What became of a reply beside being said: a sentence for each thing, with how much it matters. */
import { day, plural } from './forms.js';

/** @typedef {import('../verify/result.d.ts').Proved} Proved */
/** @typedef {{tone: 'plain'|'warn', title: string, sentence: string}} Note */

const OUTCOMES = {
  undelivered: ['Not delivered', 'The operator says that it could not bring the reply to the fan. It costs nothing.'],
  withdrawn: ['Withdrawn', 'The fan took the message back, or asked to be forgotten. It has left the twin’s memory; a reply that had been delivered before stays paid, unless a platform takes back what paid it.'],
  refunded: ['Refunded', 'The fee was given back.'],
};

/** @param {Proved} proved @returns {Note[]} */
export function describeNotes({ receipt, said, outcome, revocation, seals, model, log }) {
  const notes = [];
  const note = (tone, title, sentence) => notes.push({ tone, title, sentence });
  if (revocation) describeRevocation(revocation, note);
  if (receipt.type === 'fixed') note('plain', `Fixed answer by the rule ${receipt.rule}`, 'Nothing was generated: the creator has signed that messages like this one get this fixed text. It costs nothing.');
  if (said?.finish === 'stopped') note('plain', 'Stopped early', 'The fan stopped the reply while it was written; what is shown is all there is.');
  if (said?.finish === 'cut') note('plain', 'Cut off', 'The twin’s creator ended the reply while it was written; what is shown is all there is.');
  if (said?.finish === 'length') note('plain', 'Ended at its longest', 'The reply reached the number of tokens that the creator allows, and ends there.');
  if (said && receipt.attempt > said.rejected) note('plain', 'Asked for again', `Another reply to the same message (attempt ${receipt.attempt + 1}), as the fan wished. It stands in for an earlier one, which keeps its own receipt.`);
  if (said?.rejected) note('plain', 'Drawn again', `Before this one, ${plural(said.rejected, 'draft')} repeated an earlier answer word for word and ${said.rejected === 1 ? 'was' : 'were'} not sent. A replay shows ${said.rejected === 1 ? 'it' : 'them'} too.`);
  if (outcome && outcome.outcome !== 'delivered') note(outcome.outcome === 'undelivered' ? 'warn' : 'plain', ...OUTCOMES[outcome.outcome]);
  if (seals.length) note('warn', 'The log was continued under another key', `The creator named the log ${log.named}. It was sealed, and ${log.origin} continues it; ${seals.length === 1 ? 'the seal is' : `all ${seals.length} seals are`} signed by the log that ended.`);
  if (model.verdict === 'tolerant') note('warn', 'Not bit for bit', 'The operator’s machine failed the self-check of the exact profile, and the receipt says so: a replay may differ a little.');
  return notes;
}

function describeRevocation({ when, scope, issued }, note) {
  const what = scope === 'twin' ? 'this twin' : 'this version of the twin';
  if (when === 'before') {
    note('plain', 'Revoked later', `The creator revoked ${what} afterwards (${day(issued)}, says the creator). This reply was logged before that and stays what it was.`);
  } else {
    note('warn', 'Revoked before', `The creator had revoked ${what} (${day(issued)}, says the creator) before this reply was logged. The operator signed it all the same: the creator does not stand behind it.`);
  }
}
