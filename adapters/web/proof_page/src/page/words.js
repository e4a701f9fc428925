/** What the page says about a result as a whole and about each step; claims no more than was checked. */
import { hostOf, plural, short } from './forms.js';

/** @typedef {import('../verify/result.d.ts').Result} Result */
/** @typedef {import('../verify/result.d.ts').Proved} Proved */

/** Title of each step, as formats.md section 11 has it, and what it says when it has passed. */
const STEPS = {
  1: ['Bundle', ({ kind }) => `This browser read the ${kind === 'disclosure' ? 'file' : 'proof'} to its last byte; it has its one permitted spelling.`],
  2: ['Receipt signature', ({ proved }) => `The operator’s key ${short(proved.operator)} signed this receipt, and the manifest names this key.`],
  3: ['Manifest', ({ proved: { creator, twin } }) => `${creator.address} signed version ${twin.version} of this twin: persona, model, price and keys.`],
  4: ['Terms', ({ proved }) => `Model, price, split and free replies are those that the creator signed. Who paid, and that the reply is from ${proved.times.admitted}, is the operator’s word.`],
  5: ['Openings', openingsSentence],
  6: ['Seed', seedSentence],
  7: ['Context', contextSentence],
  8: ['Log', ({ proved: { log, witnesses } }) => `The receipt is entry ${log.index} of ${log.size} in the log ${log.origin}, under a root that the log’s key signed. ${cosigned(witnesses)}`],
  9: ['Outcome and revocation', ({ proved: { outcome, revocation } }) => [
    outcome && `The operator signed and logged the outcome “${outcome.outcome}”.`,
    revocation && `The creator signed a revocation of this ${revocation.scope}, and it is entry ${revocation.index} of the log.`,
  ].filter(Boolean).join(' ')],
  10: ['Trust policy', () => 'Creator, log and cosignatures are what your policy asks for.'],
};

const EXCUSES = {
  hidden: 'Closed: this needs the key.',
  omitted: 'Left out: a file that shows chosen fields only does not open what this step needs.',
  skipped: 'Not checked, because an earlier step failed.',
};
const ABSENT = {
  9: 'Nothing to check: neither an outcome (delivered or not) nor a revocation came with this proof.',
  10: 'Not checked: you have given no keys of your own.',
};

function openingsSentence({ kind }) {
  return kind === 'disclosure'
    ? 'The fields that are shown are among those that the operator committed to when it signed.'
    : 'The key opened message, reply, persona and context; they are those that the operator committed to when it signed.';
}

function seedSentence({ proved: { receipt } }) {
  const numbered = receipt.numbering === 'operator' ? ' The message’s number was given by the operator.' : '';
  return `The seed follows from the message’s place and number under the operator’s key: one seed for each reply to it.${numbered}`;
}

function contextSentence({ proved: { receipt, said } }) {
  if (receipt.type === 'fixed') return `The rule ${receipt.rule} applies to this message, and the reply is that rule’s text to the letter. No model was asked.`;
  const earlier = said.pairs === 0 ? 'no earlier turn' : plural(said.pairs, 'earlier turn');
  return `The parts that the operator committed to (persona, ${earlier}, message) give exactly what the model was given, with nothing in between. That these numbers spell the texts shown here is part of a replay.`;
}

function cosigned({ counted }) {
  return counted.length === 0 ? 'No witness of yours has cosigned it.' : `Cosigned by ${counted.map(({ name }) => name).join(', ')}.`;
}

/**
 * @param {import('../verify/result.d.ts').Step} step
 * @param {Result} result
 * @returns {{title: string, sentence: string}}
 */
export function describeStep({ n, state, reason }, result) {
  const [title, passed] = STEPS[n];
  if (state === 'passed') return { title, sentence: result.proved ? passed(result) : 'Passed.' };
  if (state === 'failed') return { title, sentence: `False: ${reason}.` };
  return { title, sentence: EXCUSES[state] ?? ABSENT[n] };
}

/** The verdict names the highest level that this browser has reached, and never more. */
const REACHED = {
  'L1-unwitnessed': 'Signed and logged, without witnesses',
  L1: 'Signed, logged and witnessed',
  L2: 'Signed, logged and anchored on a chain',
};
const CHIPS = { L0: 'L0 signed', 'L1-unwitnessed': 'L1 logged, unwitnessed', L1: 'L1 logged and witnessed', L2: 'L2 anchored' };

/**
 * @param {Result} result
 * @param {string} source who named the keys, where the person did not
 * @returns {{title: string, paragraphs: string[], chips: string[], tone: 'good'|'warn'|'bad'}}
 */
export function describeVerdict(result, source) {
  if (result.failure) return describeFailure(result.failure);
  const { levels, trust, proved, opened, kind } = result;
  const revokedBefore = proved.revocation?.when === 'after';
  const shown = kind === 'disclosure' ? '; chosen fields only' : '; contents closed';
  const title = revokedBefore ? 'Signed and logged, but after the creator had revoked it' : REACHED[levels.at(-1)] + (opened ? '' : shown);
  return {
    title,
    paragraphs: [contentsSentence(result), trustSentence(trust, source)],
    chips: [...levels.map((level) => CHIPS[level]), trust === 'policy' ? 'trusted by your policy' : 'self-consistent', ...stateChips(proved)],
    tone: revokedBefore ? 'warn' : 'good',
  };
}

function describeFailure({ step, reason }) {
  return {
    title: step === 10 ? 'Not the keys that you trust' : 'This proof is false',
    paragraphs: [
      `Step ${step}, ${STEPS[step][0]}: ${reason}.`,
      step === 5
        ? 'The link may have been cut or changed on its way, or someone is deceiving you. Nothing that came with it is shown as genuine.'
        : 'Nothing that came with it is shown as genuine.',
    ],
    chips: [`failed at step ${step}`],
    tone: 'bad',
  };
}

function contentsSentence({ kind, opened, proved: { creator, twin, receipt } }) {
  const signed = `the creator’s address ${short(creator.address)} (not tied to a person) has signed the twin that it names`;
  if (kind === 'disclosure') return `The operator is bound to the fields that are shown here, as they are, and ${signed}. The other fields stay closed.`;
  if (!opened) return `There is no key here. The proof shows that a reply of “${twin.name}” was signed and logged, not what it says.`;
  return `The operator is bound to exactly this ${receipt.type === 'fixed' ? 'fixed answer' : 'reply'}, and ${signed}.`;
}

function trustSentence(trust, source) {
  return trust === 'policy'
    ? 'The keys are those of your own policy, so this is trusted by what you knew before.'
    : `The keys are those named by ${source}, so the result is self-consistent: everything fits together, but nothing in it rests on what you knew before.`;
}

/** @param {Proved} proved */
function stateChips({ receipt, outcome, revocation, said }) {
  return [
    receipt.type === 'fixed' && 'fixed answer',
    said && ['stopped', 'cut'].includes(said.finish) && 'partial reply',
    outcome && outcome.outcome !== 'delivered' && outcome.outcome,
    revocation && (revocation.when === 'before' ? 'revoked later' : 'revoked before'),
  ].filter(Boolean);
}

/** @param {boolean} fromServer whether the proof came from this page's own host */
export const sourceOfKeys = (fromServer) => (fromServer ? `this same host (${hostOf(location)})` : 'the file itself');
