/** Who, what and when in short, and the facts behind the steps. */
import { day, short, size } from './forms.js';
import { describePaymentFacts, describePrice } from './payment.js';

/** @typedef {import('../verify/result.d.ts').Proved} Proved */

/** Names of the fields for people, in the order of formats.md section 7.1. */
export const FIELDS = {
  slot: 'the message’s place and number', conversation: 'which conversation', turn: 'which turn of it', message: 'the fan’s message',
  spans: 'the parts of the context', context: 'the context as tokens', output: 'the reply as tokens', reply: 'the reply',
  event: 'wishes for another reply or an early end', choice: 'which earlier turns could be quoted', counts: 'how many tokens', seed: 'the proof of the seed',
  persona: 'the persona',
};

/** @param {Proved} proved @returns {[string, string, string][]} name, value, remark */
export function describeWho(proved) {
  const { twin, creator, model, times, receipt, outcome, said } = proved;
  return [
    ['Twin', twin.name, `${twin.slug}, version ${twin.version}`],
    ['Creator’s signature', creator.address, 'an address, not tied to a person'],
    ['Weights', model.name, `SHA-256 ${short(model.gguf)}, ${size(model.sizeBytes)}${receipt.type === 'fixed' ? '; not used for a fixed answer' : ''}`],
    ['When', day(times.admitted), 'the operator’s word'],
    ...(said ? [describePlace(said.slot, receipt)] : []),
    describePrice(proved),
    ['Outcome', outcome?.outcome ?? 'none stated yet', outcome ? 'the operator’s word' : ''],
  ];
}

/** What a fan can compare with the chat itself. @param {Record<string, string>} slot @param {Proved['receipt']} receipt @returns {[string, string, string]} */
function describePlace({ platform, chat, thread, message }, { numbering }) {
  const places = [platform, chat && `chat ${chat}`, thread && `thread ${thread}`, `message ${message}`].filter(Boolean);
  const remark = numbering === 'platform' ? 'the operator’s word: compare it with the chat' : 'numbered by the operator';
  return ['Message', places.join(', '), remark];
}

/** @param {Proved} proved @returns {[string, string][]} */
export function describeFacts(proved) {
  const { receipt, twin, creator, model, operator, times, log, raw, said, registry } = proved;
  const { sampler, engine, operator: keys } = raw.manifest;
  return [
    ['Receipt', receipt.id], ['Receipt hash', receipt.hash], ['Receipt tag (its name in the log)', receipt.tag], ['Number of this twin’s reply', String(receipt.seq)],
    ['Attempt', `${receipt.attempt}${receipt.attempt ? '' : ' (the first reply to the message)'}`],
    ['Numbered by', receipt.numbering], ['Twin id', twin.id], ['Manifest hash', twin.manifest],
    ['Valid', `${times.validFrom} to ${times.validUntil}`], ['Creator', `${creator.address}, not tied to a person`], ['Paid to', `${creator.payout}${registry ? ', unless the registry of twins names another address' : ''}`],
    ...describePaymentFacts(proved),
    ['Model SHA-256', model.gguf], ['Model size', `${model.sizeBytes} bytes`],
    ['Engine', `${model.library}, ${model.profile}, ${model.verdict}, ${engine.isa}`], ['Engine build', model.build],
    ['Sampler', `${sampler.algorithm}, temperature ${sampler.temperature}, top-k ${sampler.top_k}, top-p ${sampler.top_p}, min-p ${sampler.min_p}, presence penalty ${sampler.presence_penalty}, frequency penalty ${sampler.frequency_penalty}, at most ${sampler.max_tokens} tokens`],
    ['Rules of fixed answers', twin.rules.join(', ') || 'none'],
    ['Operator’s key', operator], ['Seed key (VRF)', keys.vrf_key], ['Slot tag', receipt.slotTag],
    ['Log', log.origin], ['Log key', log.key], ['Log entry', `${log.index} of ${log.size}`], ['Log root', log.root],
    ...(said ? describeSaid(said) : []),
  ];
}

function describeSaid({ slot, turn, parts, event, counts, finish, persona, fields }) {
  return [
    ['Platform', slot.platform], ['Bot', slot.bot], ['Chat', slot.chat || 'none'], ['Thread', slot.thread || 'none'], ['Message number', slot.message],
    ['Conversation', fields.conversation.id], ['Turn', String(turn.n)],
    ['Messages answered', parts.map(({ id }) => id).join(', ')],
    ...(event.regenerate === null ? [] : [['Asked for again by event', event.regenerate], ['Replaces receipt', event.replaces]]),
    ...(event.halt === null ? [] : [['Ended early by event', event.halt]]),
    ['Tokens', `${counts.context} of context, ${counts.output} of reply, finish “${finish}”`],
    ['Persona', [`${persona.name}, ${persona.role}`, ...persona.facts.map((fact) => `– ${fact}`)].join('\n')],
    ...(persona.off_limits.length ? [['Does not talk about', persona.off_limits.join(', ')]] : []),
  ];
}
