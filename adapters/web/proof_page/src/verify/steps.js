/** The ten steps of formats.md section 11; every function is one step and may add to the case. */
import { concat, equal, fromBase64, fromHex, toHex, u16, utf8 } from './bytes.js';
import { encodeCanonical } from './canonical.js';
import { isCheckpointSignedBy, parseCheckpoint } from './checkpoint.js';
import { openSealed } from './ciphers.js';
import { brokenFieldRule, brokenOutputRule, brokenTurnRule, renderContext } from './context.js';
import { recoverCreator } from './creator.js';
import { isSignedBy } from './dsse.js';
import { verifyVrf } from './ecvrf.js';
import { must } from './failure.js';
import { derive, sha256, taggedHash } from './hashing.js';
import { isIncluded, merkleRoot } from './merkle.js';
import { parseBundle } from './bundle.js';
import { FIELD_NAMES, parseManifest, parseOpenings, parseOutcome, parseReceipt } from './statements.js';
import { receiptIdOf } from './link.js';

const RECEIPT_TYPE = 'application/vnd.twinproof.receipt+json';
const OUTCOME_TYPE = 'application/vnd.twinproof.outcome+json';
const MAX_BUNDLE_BYTES = 4 * 1024 * 1024;
/** Who numbers the messages of a platform; there are no other platforms. */
const NUMBERING = new Map([['terminal', 'operator'], ['web', 'operator'], ['discord', 'platform'], ['telegram', 'platform']]);
const OUTCOME_CODES = { delivered: 1, undelivered: 2, withdrawn: 3, refunded: 4 };

/**
 * What is known of one reply; grows from step to step.
 * @typedef {object} Case
 * @property {Uint8Array} bytes
 * @property {Uint8Array|null} key opening key
 * @property {string|null} receiptId the id in the link, where there is a link
 * @property {{creators: string[], logs: string[]}|null} policy
 * @property {import('./bundle.js').Bundle} [bundle]
 * @property {any} [receipt]
 * @property {any} [manifest]
 * @property {Uint8Array} [manifestHash]
 * @property {{persona: any, fields: Record<string, any>}} [openings]
 * @property {import('./checkpoint.js').Checkpoint} [checkpoint]
 * @property {any} [outcome]
 */

/** @param {Case} found */
export function checkBundle(found) {
  must(1, found.bytes.length <= MAX_BUNDLE_BYTES, 'the bundle is larger than any bundle');
  found.bundle = parseBundle(found.bytes);
  found.receipt = parseReceipt(found.bundle.receipt.payload);
  found.manifest = parseManifest(found.bundle.manifest.body);
  if (found.receiptId !== null) {
    const same = receiptIdOf(found.bundle.receipt.hash) === found.receiptId;
    must(1, same, 'the bundle belongs to another reply than the link');
  }
}

/** @param {Case} found */
export async function checkReceiptSignature(found) {
  const { bundle, receipt, manifest } = found;
  const signed = await isSignedBy(bundle.receipt, RECEIPT_TYPE, fromHex(receipt.operator));
  must(2, signed, 'the operator’s signature does not fit the receipt');
  const same = manifest.operator.signing_key === receipt.operator;
  must(2, same, 'the key that signed is not the one that the manifest names');
}

/** @param {Case} found */
export function checkManifest(found) {
  const { manifest, receipt, bundle } = found;
  found.manifestHash = sha256(bundle.manifest.body);
  must(3, toHex(found.manifestHash) === receipt.manifest, 'the manifest is not the one that the receipt names');
  const twin = taggedHash('twin', fromHex(manifest.creator.slice(2).toLowerCase()), manifest.slug);
  must(3, toHex(twin) === manifest.twin, 'the twin’s id does not derive from its creator and name');
  const signer = recoverCreator(manifest, found.manifestHash, bundle.manifest.signature);
  must(3, signer === manifest.creator, 'the creator did not sign this manifest');
}

/** @param {Case} found */
export function checkTerms({ receipt, manifest }) {
  const valid = manifest.valid_from <= receipt.time && receipt.time <= manifest.valid_until;
  must(4, valid, 'the reply was made outside the time for which the creator signed');
  must(4, receipt.twin === manifest.twin, 'the receipt names another twin');
  must(4, receipt.model.gguf === manifest.model.gguf, 'the receipt names another model');
  must(4, receipt.model.library === manifest.engine.library, 'the receipt names another model library');
  must(4, receipt.model.profile === manifest.engine.profile, 'the receipt names another engine profile');
  const { price } = receipt;
  const samePrice = price.nano === manifest.price.nano && price.token === manifest.price.token;
  must(4, samePrice, 'the price is not the one that the creator signed');
  const creatorPart = (BigInt(price.nano) * BigInt(manifest.split.creator_bp)) / 10000n;
  const sameSplit = BigInt(price.creator_nano) === creatorPart
    && BigInt(price.operator_nano) === BigInt(price.nano) - creatorPart;
  must(4, sameSplit, 'the price is not split as the creator signed');
}

/** @param {Case} found */
export async function checkOpenings(found) {
  const { key, bundle, receipt, manifest } = found;
  must(5, key.length === 32, 'the key in the link is not 32 bytes');
  const plain = await openSealed(derive(key, 'twinproof/v1/seal', 32), bundle.sealed, bundle.receipt.hash);
  must(5, plain !== null, 'the key does not open the sealed part');
  const openings = parseOpenings(plain);
  const leaves = openings.fields.map(({ name, salt, value }) => {
    const derived = derive(key, `twinproof/v1/salt/${name}`, 16);
    const bytes = fromBase64(salt);
    must(5, equal(bytes, derived), `the salt of "${name}" does not derive from the key`);
    const zero = Uint8Array.of(0);
    return concat(utf8('twinproof/v1/field'), zero, utf8(name), zero, bytes, encodeCanonical(value));
  });
  must(5, toHex(merkleRoot(leaves)) === receipt.fields.root, 'the opened fields are not those that were signed');
  const persona = toHex(sha256(encodeCanonical(openings.persona)));
  must(5, persona === manifest.persona, 'the persona is not the one that the creator signed');
  const values = FIELD_NAMES.map((name, i) => [name, openings.fields[i].value]);
  const fields = Object.fromEntries(values);
  const broken = brokenFieldRule(fields);
  must(5, broken === null, broken);
  found.openings = { persona: openings.persona, fields };
}

/** @param {Case} found */
export function checkSeed({ receipt, manifest, openings: { fields } }) {
  const { platform, bot, chat, thread, message } = fields.slot;
  must(6, NUMBERING.has(platform), 'the message comes from a platform that version 1 does not know');
  must(6, receipt.numbering === NUMBERING.get(platform), 'the receipt is wrong about who numbered the message');
  const slot = taggedHash('slot-input', fromHex(manifest.twin), platform, bot, chat, thread, message);
  const beta = verifyVrf(fromHex(manifest.operator.vrf_key), slot, fromBase64(receipt.seed.vrf_proof));
  must(6, beta !== null, 'the proof of the seed is false');
  const tag = toHex(taggedHash('slot', beta).subarray(0, 16));
  must(6, tag === receipt.seed.slot_tag, 'the slot tag does not come from the seed');
  const asked = fields.event.regenerate !== null;
  must(6, asked === receipt.attempt > 0, 'a fan’s wish for another reply belongs to every attempt after the first, and to no other');
}

/** @param {Case} found */
export function checkContext({ manifest, openings: { fields } }) {
  const rendered = renderContext(fields.spans, manifest.rendering);
  must(7, !('broken' in rendered), rendered.broken);
  const context = fields.context.tokens;
  const same = rendered.tokens.length === context.length && rendered.tokens.every((token, i) => token === context[i]);
  must(7, same, 'the spans do not render to the context');
  must(7, context.length <= manifest.rendering.window_tokens, 'the context is longer than the window');
  const broken = brokenTurnRule(fields) ?? brokenOutputRule(fields, manifest);
  must(7, broken === null, broken);
}

/** @param {Case} found */
export async function checkLog(found) {
  const { bundle, receipt, manifest } = found;
  const leaf = concat(
    Uint8Array.of(1), bundle.receipt.hash, fromHex(receipt.seed.slot_tag), u16(receipt.attempt),
    fromHex(receipt.twin).subarray(0, 8),
  );
  must(8, equal(leaf, bundle.log.leaf), 'the log entry is not of this receipt');
  found.checkpoint = parseCheckpoint(bundle.log.checkpoint);
  must(8, found.checkpoint.origin === manifest.log.origin, 'the checkpoint is of another log than the manifest names');
  must(8, includes(found.checkpoint, leaf, bundle.log), 'the log’s root does not contain this reply');
  const signed = await isCheckpointSignedBy(found.checkpoint, manifest.log.key);
  must(8, signed, 'the checkpoint is not signed by the log that the manifest names');
}

/** @param {Case} found */
export async function checkOutcome(found) {
  const { bundle, receipt, checkpoint } = found;
  const { statement, leaf, ...place } = bundle.outcome;
  const outcome = parseOutcome(statement.payload);
  const signed = await isSignedBy(statement, OUTCOME_TYPE, fromHex(receipt.operator));
  must(9, signed, 'the operator’s signature does not fit the outcome');
  must(9, outcome.receipt === toHex(bundle.receipt.hash), 'the outcome is of another reply');
  const code = Uint8Array.of(OUTCOME_CODES[outcome.outcome]);
  const expected = concat(Uint8Array.of(2), statement.hash, bundle.receipt.hash, code);
  must(9, equal(leaf, expected), 'the log entry is not of this outcome');
  must(9, includes(checkpoint, leaf, place), 'the log’s root does not contain the outcome');
  found.outcome = outcome;
}

/** @param {Case} found */
export function checkPolicy({ policy, manifest }) {
  must(10, policy.creators.includes(manifest.creator), 'the creator is not one that you trust');
  must(10, policy.logs.includes(manifest.log.key), 'the log key is not one that you trust');
}

const includes = (checkpoint, leaf, { index, inclusion }) => (
  isIncluded(leaf, index, checkpoint.size, inclusion, checkpoint.root)
);
