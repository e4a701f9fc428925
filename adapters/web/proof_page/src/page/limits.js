/** What a result leaves open, in plain words (formats.md section 11.1). */

/** @typedef {import('../verify/result.d.ts').Result} Result */

/** By number of the claim: the claim, and why it is not shown. */
const CLAIMS = {
  1: () => ['That the reply is true.', 'A proof shows where words come from, not whether they are right.'],
  2: () => ['That the model really gives these words.', 'Only a replay shows that the model gives these tokens and that they spell these texts; none was done in this browser.'],
  3: () => ['That the operator cannot read the chat.', 'It can: the model runs on the operator’s machine.'],
  4: () => ['That everybody sees the same log.', 'No witness of yours has cosigned it; an operator could show others another one.'],
  5: () => ['That a blockchain vouches for anything.', 'No chain that you chose has confirmed it here.'],
  6: ({ creator }) => ['Who the creator is.', `${creator.address}: an address, not tied to a person.`],
  7: () => ['When the reply was made.', 'The time is the operator’s word.'],
  8: ({ outcome }) => [`That the reply really was ${outcome?.outcome ?? 'delivered'}.`, 'The outcome is the operator’s word.'],
  9: () => ['That fan and creator are strangers to the operator.', 'An operator who poses as a fan can try prompts in private until one gives a wanted reply, and a creator who is the operator can try versions; no public beacon is part of the seed.'],
  10: () => ['That nobody chose the message’s number.', 'Here the operator numbers the messages itself, and a number decides the seed.'],
  11: ({ said }) => ['That chat, thread and number are the platform’s.', `The operator says so; the platform has signed nothing. ${said ? 'The fan can compare them: they stand above.' : 'With the key, the fan can compare them.'}`],
  12: () => ['That the earlier turns are quoted rightly, that none was left out, and that this is the turn it says it is.', 'Each turn has a proof of its own, which is not part of this one; a replay is exact given them.'],
  13: () => ['That a replay fits bit for bit.', 'The operator’s machine did not pass the self-check for the exact profile, and the receipt says so.'],
  14: ({ said, receipt }) => [`That ${whoAsked(said, receipt)} really asked for it.`, 'Another reply or an early end: the operator says that it was asked for.'],
  15: () => ['Anything about what was said.', 'Without the key this browser has seen neither message nor reply.'],
  16: () => ['That creator and log are the ones you mean.', 'You have given no keys of your own.'],
  17: () => ['That nothing revoked it, and nothing followed its outcome, that this proof leaves out.', 'Whoever handed it on may have left that out; a monitor of the log knows.'],
};

function whoAsked(said, receipt) {
  if (said?.finish !== 'cut') return 'the fan';
  return receipt.attempt > said.rejected ? 'fan and creator' : 'the creator';
}

/** @param {Result} result that did not fail @returns {[string, string][]} claim and explanation */
export const describeLimits = ({ unproved, proved }) => unproved.map((n) => CLAIMS[n](proved));
