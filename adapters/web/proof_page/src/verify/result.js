/** What a verification tells its caller (result.d.ts says each member's meaning). */
import { HALTED, messageText, pairsOf } from './context.js';
import { decimalAmount, priceText, splitText } from './creator.js';
import { receiptIdOf } from './link.js';
import { toHex } from './bytes.js';
import { receiptTagOf } from './hashing.js';

/** @typedef {import('./steps.js').Case} Case */
/** @typedef {import('./result.d.ts').Result} Result */

/**
 * @param {'bundle'|'disclosure'} kind
 * @param {import('./result.d.ts').Step[]} steps
 * @param {import('./failure.js').Failure|null} failure
 * @param {Case} found nothing of it leaves this function if a step failed
 * @returns {Result}
 */
export function makeResult(kind, steps, failure, found) {
  if (failure) {
    const { step, reason } = failure;
    return {
      kind, verdict: 'failed', failure: { step, reason }, steps, levels: [], trust: null, opened: false, unproved: [], proved: null,
    };
  }
  const levels = ['L0', isWitnessed(found) ? 'L1' : 'L1-unwitnessed'];
  return {
    kind,
    verdict: 'verified',
    failure: null,
    steps,
    levels,
    trust: found.policy === null ? 'self-consistent' : 'policy',
    opened: found.openings !== undefined,
    unproved: unproved(found, levels),
    proved: proved(found),
  };
}

/** Step 10 has passed, so what the policy needs is there. @param {Case} found @returns {boolean} */
const isWitnessed = ({ policy }) => policy !== null && policy.needed >= 1;

/**
 * Number the claims of formats.md section 11.1 that belong to a result.
 * @param {Case} found
 * @param {string[]} levels
 * @returns {number[]}
 */
function unproved(found, levels) {
  const { receipt, openings, policy } = found;
  const fields = shownFields(found);
  const belongs = {
    2: receipt.type === 'reply',
    4: !levels.includes('L1'),
    8: found.outcome !== undefined,
    10: receipt.numbering === 'operator',
    11: receipt.numbering === 'platform',
    12: receipt.type === 'reply',
    13: receipt.model.verdict === 'tolerant',
    14: receipt.attempt > 0 || HALTED.includes(fields.reply?.finish) || typeof fields.event?.halt === 'string',
    15: openings === undefined,
    16: policy === null,
  };
  return Array.from({ length: 17 }, (_, i) => i + 1).filter((n) => belongs[n] ?? true);
}

/** @param {Case} found @returns {Record<string, any>} opened or disclosed fields by their names */
function shownFields({ openings, disclosure }) {
  if (openings) return openings.fields;
  return Object.fromEntries((disclosure?.fields ?? []).map(({ name, value }) => [name, value]));
}

/** @param {Case} found @returns {import('./result.d.ts').Proved} */
function proved(found) {
  const { receipt, manifest, bundle, disclosure } = found;
  return {
    receipt: {
      id: receiptIdOf(bundle.receipt.hash), hash: toHex(bundle.receipt.hash), tag: toHex(receiptTagOf(bundle.receipt.hash)), type: receipt.type, seq: receipt.seq,
      attempt: receipt.attempt, numbering: receipt.numbering, rule: receipt.rule, slotTag: receipt.seed.slot_tag,
    },
    twin: {
      id: manifest.twin, slug: manifest.slug, name: manifest.name, version: manifest.version,
      manifest: receipt.manifest, rules: manifest.rules, redraws: manifest.filter.redraws,
    },
    creator: { address: manifest.creator, payout: manifest.payout },
    operator: receipt.operator,
    model: {
      name: manifest.model.name, gguf: manifest.model.gguf, sizeBytes: manifest.model.size_bytes,
      library: receipt.model.library, build: receipt.model.build, profile: receipt.model.profile, verdict: receipt.model.verdict,
    },
    price: priceOf(receipt),
    terms: { price: priceText(manifest.price), split: splitText(manifest.split) },
    registry: receipt.registry_block,
    times: { admitted: receipt.time, validFrom: manifest.valid_from, validUntil: manifest.valid_until },
    said: found.openings ? saidOf(found.openings) : null,
    log: logOf(found),
    seals: found.seals.map(({ origin, size, root, kept, next }) => ({ log: origin, size, root, kept, successor: next })),
    witnesses: witnessesOf(found),
    outcome: found.outcome ? { outcome: found.outcome.body.outcome, index: found.outcome.index } : null,
    revocation: revocationOf(found),
    anchor: anchorOf(found),
    disclosure: disclosure
      ? { fields: disclosure.fields.map(({ name, value }) => ({ name, value })), persona: disclosure.persona } : null,
    raw: { receipt, manifest, statement: found.outcome?.body ?? null, order: found.revocation?.body ?? null },
  };
}

const priceOf = ({ payer, rate_table: rateTable, price: { nano, token, creator_nano: creatorNano, operator_nano: operatorNano } }) => ({
  nano, token, creatorNano, operatorNano, payer, rateTable, text: `${decimalAmount(BigInt(nano))} ${token}`,
});

function saidOf({ persona, fields }) {
  const { slot, message, reply, event, turn, spans, choice, counts } = fields;
  return {
    platform: slot.platform, slot, parts: message.parts, message: messageText(fields), reply: reply.text, finish: reply.finish,
    rejected: reply.rejected, event, turn, pairs: pairsOf(spans).length, choice, counts, persona, fields,
  };
}

function logOf({ place, log, manifest }) {
  const { origin, size, root } = place.checkpoint;
  return { origin, named: manifest.log.origin, key: log.vkey, index: place.index, size, root: toHex(root) };
}

function witnessesOf({ witnesses, policy, place, log }) {
  const named = policy?.witnesses ?? [];
  const known = new Set([log.vkey, ...named].map((vkey) => vkey.split('+', 2).join('+')));
  const others = place.checkpoint.lines.filter(({ name, keyHash }) => !known.has(`${name}+${toHex(keyHash)}`));
  return {
    counted: witnesses.map((witness) => ({ ...witness, text: timeText(witness.time) })),
    needed: policy?.needed ?? 0,
    named: named.map((vkey) => vkey.split('+')[0]),
    others: others.length,
  };
}

/** @param {number} seconds since 1970; a witness may write any @returns {string} */
function timeText(seconds) {
  const at = new Date(seconds * 1000);
  return Number.isNaN(at.getTime()) ? 'no time of any calendar' : at.toISOString().replace('.000Z', 'Z');
}

function revocationOf({ revocation, place, log }) {
  if (!revocation) return null;
  const { body, hash, index } = revocation;
  return {
    when: place.index < index ? 'before' : 'after',
    scope: body.manifest === null ? 'twin' : 'version',
    issued: body.issued,
    index,
    order: hash,
    underSealed: body.log !== log.name,
  };
}

function anchorOf({ bundle: { anchor }, policy }) {
  if (anchor === null) return null;
  const { chain, contract, epoch, size, root } = anchor;
  const named = policy?.anchors.some((entry) => entry.chain === chain && entry.contract === contract) ?? false;
  return { chain, contract, epoch, size, root: toHex(root), named };
}
