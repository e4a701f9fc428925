/** Every sentence that the page says about a result; claims no more than the steps show. */
import { HALTED } from '../verify/context.js';
import { decimalAmount } from '../verify/creator.js';

/** @param {string} hex @returns {string} enough of it to compare by eye */
const short = (hex) => `${hex.slice(0, 8)}…${hex.slice(-6)}`;

/** Title of each step, as formats.md section 11 has it, and what it says when it has passed. */
const STEPS = {
  1: ['Bundle', () => 'This browser read the bundle to its last byte; it has its one permitted spelling.'],
  2: ['Receipt signature', ({ receipt }) => `This browser checked that the operator’s key ${short(receipt.operator)} signed this receipt, and that the manifest names this key.`],
  3: ['Manifest', ({ manifest }) => `This browser checked that ${manifest.creator} signed version ${manifest.version} of this twin: persona, model, price and keys.`],
  4: ['Terms', ({ receipt }) => `This browser compared model, price and split with what the creator signed; the operator says that the reply is from ${receipt.time}.`],
  5: ['Openings', () => 'The key in your link opened message, reply, persona and context in this browser; they are those that the operator committed to when it signed.'],
  6: ['Seed', seedSentence],
  7: ['Context', ({ openings }) => `This browser joined the parts that the operator committed to (persona, ${turns(openings)}, message) and got exactly what the model was given, with nothing in between. That these numbers spell the texts shown here is part of a replay.`],
  8: ['Log', ({ bundle, checkpoint }) => `This browser found the receipt as entry ${bundle.log.index} of ${checkpoint.size} in the log, under a root signed with the log key that the manifest names. No independent witness has cosigned it.`],
  9: ['Outcome', ({ outcome }) => `The operator signed and logged the outcome “${outcome.outcome}”: ${OUTCOMES[outcome.outcome]}. This browser checked signature and place.`],
  10: ['Trust policy', () => 'Creator’s address and log key are the ones that you entered.'],
};

/** What each outcome means for people. */
const OUTCOMES = {
  delivered: 'the fan has the reply, and it is paid',
  undelivered: 'the reply could not be brought to the fan, and costs nothing',
  withdrawn: 'the fan took the message back, or asked to be forgotten; a reply that had been delivered before stays paid',
  refunded: 'the fee was given back',
};

const EXCUSES = {
  5: 'Hidden: the link has no key, so message and reply stay closed. Only whoever has the fan’s own link can open them.',
  6: 'Hidden: which message the seed belongs to is opened by the key only.',
  7: 'Hidden: the context is opened by the key only.',
  9: 'Nothing to check: no outcome (delivered or not) stands in this bundle yet.',
  10: 'Not checked: you have entered no keys of your own.',
};

function seedSentence({ receipt }) {
  const numbered = receipt.numbering === 'operator' ? ' The message’s number was given by the operator.' : '';
  return `This browser checked that the seed follows from the message’s place and number under the operator’s key: one seed for each reply to it.${numbered}`;
}

/** @param {number} attempt above 0 @returns {string} an attempt may have come to nothing, so only the second reply is counted */
function whichReply(attempt) {
  if (attempt === 1) return 'The second reply to the same message';
  const ordinal = ['third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth'][attempt - 2];
  return `Another reply to the same message, ${ordinal ? `the ${ordinal} attempt` : `attempt number ${attempt + 1}`}`;
}

/** @param {Record<string, any>} fields @returns {string} who wrote, and in how many messages */
export function describeFan({ message: { parts } }) {
  return parts.length === 1 ? 'The fan' : `The fan, in ${parts.length} messages that were answered together`;
}

/**
 * What people did to the reply beside asking for it, in plain words.
 * @param {import('../verify/steps.js').Case} found
 * @returns {string[]} a sentence each
 */
export function describeReply({ receipt, openings: { fields }, outcome }) {
  const sentences = [];
  if (receipt.attempt > 0) {
    sentences.push(`${whichReply(receipt.attempt)}, asked for by the fan. It stands in for an earlier one, which keeps its own receipt.`);
  }
  if (fields.reply.finish === 'stopped') sentences.push('The fan stopped the reply here.');
  if (fields.reply.finish === 'cut') sentences.push('The twin’s creator ended the reply here.');
  if (outcome && outcome.outcome !== 'delivered') sentences.push(`${OUTCOME_NOTES[outcome.outcome]}.`);
  return sentences;
}

const OUTCOME_NOTES = {
  undelivered: 'It could not be brought to the fan, and costs nothing',
  withdrawn: 'It was withdrawn: the fan took the message back, or asked to be forgotten',
  refunded: 'Its fee was given back',
};

const earlierTurns = ({ fields }) => (fields.spans.length - 2) / 2;

function turns(openings) {
  const count = earlierTurns(openings);
  if (count === 0) return 'no earlier turn';
  return count === 1 ? 'one earlier turn' : `${count} earlier turns`;
}

/**
 * @param {{n: number, state: string, reason?: string}} step
 * @param {import('../verify/steps.js').Case} found
 * @returns {{title: string, sentence: string}}
 */
export function describeStep({ n, state, reason }, found) {
  const [title, passed] = STEPS[n];
  if (state === 'passed') return { title, sentence: passed(found) };
  if (state === 'failed') return { title, sentence: `False: ${reason}.` };
  return { title, sentence: state === 'skipped' ? 'Not checked, because an earlier step failed.' : EXCUSES[n] };
}

/**
 * @param {import('../verify/verify.js').Report} report
 * @param {string} source who named the keys, where the person did not
 * @returns {{title: string, paragraphs: string[], chips: string[]}}
 */
export function describeVerdict({ failure, trust, found }, source) {
  if (failure) {
    return {
      title: failure.step === 10 ? 'Not the keys that you trust' : 'This proof is false',
      paragraphs: [
        `Step ${failure.step}, ${STEPS[failure.step][0]}: ${failure.reason}.`,
        failure.step === 5
          ? 'The link may have been cut or changed on its way, or someone is deceiving you. Nothing that came with it is shown as genuine.'
          : 'Nothing that came with it is shown as genuine.',
      ],
      chips: [`failed at step ${failure.step}`],
    };
  }
  const opened = found.key !== null;
  const what = opened ? 'Signed and logged, without witnesses' : 'Signed and logged, without witnesses; contents hidden';
  const who = trust === 'policy'
    ? 'The keys are the ones that you entered, so this is trusted by your policy.'
    : `The keys are those named by ${source}, so the result is self-consistent: everything fits together, but nothing in it rests on what you knew before.`;
  const contents = opened
    ? `The operator is bound to exactly this reply, and ${found.manifest.creator} (not tied to a person) has signed the twin that it names.`
    : `This link has no key. It shows that a reply of “${found.manifest.name}” was signed and logged, not what it says.`;
  return {
    title: what,
    paragraphs: [contents, who],
    chips: ['L0 signed', 'L1 logged, unwitnessed', trust === 'policy' ? 'trusted by your policy' : 'self-consistent'],
  };
}

/**
 * What the result leaves open, in plain words (formats.md section 11.1).
 * @param {import('../verify/verify.js').Report} report of a verification that did not fail
 * @returns {[string, string][]} claim and explanation
 */
export function describeLimits({ trust, found: { manifest, receipt, openings, outcome } }) {
  const platform = receipt.numbering === 'platform';
  const halted = openings !== undefined && HALTED.includes(openings.fields.reply.finish);
  const claims = [
    [true, 'That the reply is true.', 'A proof shows where words come from, not whether they are right.'],
    [true, 'That the model really gives these words.', 'Only a replay shows that the model gives these tokens and that they spell these texts; none was done in this browser.'],
    [true, 'That the operator cannot read the chat.', 'It can: the model runs on the operator’s machine.'],
    [true, 'That everybody sees the same log.', 'No independent witnesses have cosigned it; an operator could show others another one.'],
    [true, 'That a blockchain vouches for it.', 'Nothing here was checked on a chain. In the demo the chain is the operator’s own and proves nothing more.'],
    [true, 'Who the creator is.', `${manifest.creator}, not tied to a person.`],
    [true, 'When the reply was made.', 'The time is the operator’s word.'],
    [outcome, `That the reply really was ${outcome?.outcome}.`, 'The outcome is the operator’s word.'],
    [true, 'That the fan is a stranger to the operator.', 'An operator who poses as a fan can try prompts in private until one gives a wanted reply; no public beacon is part of the seed.'],
    [!platform, 'That nobody chose the message’s number.', 'Here the operator numbers the messages itself, and a number decides the seed.'],
    [platform, 'That the platform really gave this number.', 'The operator says so; the platform has signed nothing.'],
    [openings && earlierTurns(openings) > 0, 'That the earlier turns are quoted rightly and none was left out.', 'Each has a proof of its own, which is not part of this bundle; a replay is exact given them.'],
    [receipt.model.verdict === 'tolerant', 'That a replay fits bit for bit.', 'The operator’s machine did not pass the self-check for the exact profile, and the receipt says so.'],
    [receipt.attempt > 0 || halted, `That ${whoAsked(receipt, openings)} really asked for it.`, 'Another reply or an early end: the operator says that it was asked for.'],
    [!openings, 'Anything about the contents.', 'Without the key this browser has seen neither message nor reply.'],
    [trust !== 'policy', 'That creator and log are the ones you mean.', 'You have entered no keys of your own.'],
  ];
  return claims.filter(([holds]) => holds).map(([, claim, why]) => [claim, why]);
}

function whoAsked(receipt, openings) {
  if (openings?.fields.reply.finish !== 'cut') return 'the fan';
  return receipt.attempt > 0 ? 'fan and creator' : 'the creator';
}

/**
 * The facts behind the steps.
 * @param {import('../verify/verify.js').Report & {receiptId: string, receiptHash: string}} report
 * @returns {[string, string][]}
 */
export function describeFacts({ found: { bundle, receipt, manifest, checkpoint, openings }, receiptId, receiptHash }) {
  const facts = [
    ['Receipt', receiptId], ['Receipt hash', receiptHash], ['Time, says the operator', receipt.time],
    ['Number of this twin’s reply', String(receipt.seq)],
    ['Attempt', `${receipt.attempt}${receipt.attempt ? '' : ' (the first reply to the message)'}`],
    ['Numbered by', receipt.numbering], ['Twin', `${manifest.name} (${manifest.slug}), version ${manifest.version}`],
    ['Twin id', receipt.twin], ['Manifest hash', receipt.manifest], ['Valid', `${manifest.valid_from} to ${manifest.valid_until}`],
    ['Creator', `${manifest.creator}, not tied to a person`], ['Paid to', manifest.payout],
    ['Price', `${decimalAmount(BigInt(receipt.price.nano))} ${receipt.price.token}: creator ${decimalAmount(BigInt(receipt.price.creator_nano))}, operator ${decimalAmount(BigInt(receipt.price.operator_nano))}`],
    ['Model', `${manifest.model.name}, ${manifest.model.size_bytes} bytes`], ['Model SHA-256', receipt.model.gguf],
    ['Engine', `${receipt.model.library}, ${receipt.model.profile}, ${receipt.model.verdict}, ${manifest.engine.isa}`],
    ['Engine build', receipt.model.build],
    ['Sampler', `${manifest.sampler.algorithm}, temperature ${manifest.sampler.temperature}, top-k ${manifest.sampler.top_k}, top-p ${manifest.sampler.top_p}, min-p ${manifest.sampler.min_p}, presence penalty ${manifest.sampler.presence_penalty}, frequency penalty ${manifest.sampler.frequency_penalty}, at most ${manifest.sampler.max_tokens} tokens`],
    ['Operator’s key', receipt.operator], ['Seed key (VRF)', manifest.operator.vrf_key], ['Slot tag', receipt.seed.slot_tag],
    ['Log', manifest.log.origin], ['Log key', manifest.log.key], ['Log entry', `${bundle.log.index} of ${checkpoint.size}`],
  ];
  if (!openings) return facts;
  const { fields, persona } = openings;
  return [
    ...facts,
    ['Conversation', fields.conversation.id], ['Turn', String(fields.turn.n)],
    ['Messages answered', fields.message.parts.map(({ id }) => id).join(', ')],
    ...(fields.event.regenerate === null ? [] : [['Asked for again by event', fields.event.regenerate], ['Replaces receipt', fields.event.replaces]]),
    ...(fields.event.halt === null ? [] : [['Ended early by event', fields.event.halt]]),
    ['Tokens', `${fields.context.tokens.length} of context, ${fields.output.tokens.length} of reply, finish “${fields.reply.finish}”`],
    ['Persona', [`${persona.name}, ${persona.role}`, ...persona.facts.map((fact) => `– ${fact}`)].join('\n')],
    ...(persona.off_limits.length ? [['Does not talk about', persona.off_limits.join(', ')]] : []),
  ];
}
