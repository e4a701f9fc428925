/** Steps 1 to 7 of formats.md section 11: the reply itself; every function is one step and may add to the case. */
import { equal, fromBase64, fromHex, toHex } from './bytes.js';
import { encodeCanonical } from './canonical.js';
import { openSealed } from './ciphers.js';
import { brokenFieldRule, brokenFixedRule, brokenReplyRule } from './context.js';
import { creatorDigest, recoverSigner } from './creator.js';
import { isSignedBy } from './dsse.js';
import { verifyVrf } from './ecvrf.js';
import { must } from './failure.js';
import { FIELD_NAMES, fieldLeaf, parseOpenings } from './fields.js';
import { derive, sha256, taggedHash } from './hashing.js';
import { merkleRoot } from './merkle.js';
import { parseFile, readBundle } from './bundle.js';
import { brokenPaymentRule } from './payment.js';
import { parseManifest, parseReceipt } from './statements.js';
import { receiptIdOf } from './link.js';

const RECEIPT_TYPE = 'application/vnd.twinproof.receipt+json';
const id = /^[1-9][0-9]{0,19}$/;
const idOrNothing = /^(?:[1-9][0-9]{0,19})?$/;
const own = { numbering: 'operator', forms: { bot: /^local$/ } };
/** By platform, of which there are no others: who numbers the messages, and the only spelling of identifiers. */
const PLATFORMS = new Map(Object.entries({
  terminal: own,
  web: own,
  discord: { numbering: 'platform', forms: { bot: id, chat: id, thread: idOrNothing, message: id } },
  telegram: { numbering: 'platform', forms: { bot: id, chat: /^-?[1-9][0-9]{0,19}$/, thread: idOrNothing, message: id } },
}));

/**
 * What is known of one reply; grows from step to step.
 * @typedef {object} Case
 * @property {Uint8Array|string} file
 * @property {Uint8Array|null} key opening key
 * @property {string|null} receiptId the id in the link, where there is a link
 * @property {import('./result.d.ts').Policy|null} policy
 * @property {import('./bundle.js').Bundle} [bundle]
 * @property {any} [receipt]
 * @property {any} [manifest]
 * @property {Uint8Array} [manifestHash]
 * @property {{persona: any, fields: Record<string, any>}} [openings]
 * @property {import('./disclosed_steps.js').Disclosure} [disclosure]
 * @property {import('./log_proof.js').LogProof} [place] of the reply
 * @property {import('./checkpoint.js').VerifierKey} [log] who signed the checkpoint
 * @property {any[]} [seals] parsed, oldest first
 * @property {{name: string, key: string, time: number}[]} [witnesses] whose cosignatures count
 * @property {{body: any, index: number}} [outcome]
 * @property {{body: any, hash: string, index: number}} [revocation]
 */

/** @param {Case} found */
export const checkBundle = (found) => takeBundle(found, parseFile(found.file));

/**
 * Step 1 of what was parsed already, by itself or as part of another file.
 * @param {Case} found
 * @param {any} value
 */
export function takeBundle(found, value) {
  found.bundle = readBundle(value);
  found.receipt = parseReceipt(found.bundle.receipt.payload);
  found.manifest = parseManifest(found.bundle.manifest.body);
  if (found.receiptId !== null) {
    const same = receiptIdOf(found.bundle.receipt.hash) === found.receiptId;
    must(1, same, 'the bundle belongs to another reply than the link');
  }
}

/** @param {Case} found */
export async function checkReceiptSignature({ bundle, receipt, manifest }) {
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
  const signer = recoverSigner(creatorDigest(manifest, found.manifestHash), bundle.manifest.signature);
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
  const broken = brokenPaymentRule(receipt, manifest);
  must(4, broken === null, broken);
  if (receipt.type !== 'fixed') return;
  must(4, manifest.rules.includes(receipt.rule), 'the fixed answer is of a rule that the creator did not sign');
  must(4, receipt.attempt === 0, 'the fixed answer is not the first one to its message');
}

/** @param {Case} found */
export async function checkOpenings(found) {
  const { key, bundle, receipt, manifest } = found;
  must(5, key.length === 32, 'the key in the link is not 32 bytes');
  must(5, bundle.sealed !== null, 'the bundle is a public one: it holds nothing that a key can open');
  const plain = await openSealed(derive(key, 'twinproof/v1/seal', 32), bundle.sealed, bundle.receipt.hash);
  must(5, plain !== null, 'the key does not open the sealed part');
  const openings = parseOpenings(plain);
  const leaves = openings.fields.map(({ name, salt, value }) => {
    const derived = derive(key, `twinproof/v1/salt/${name}`, 16);
    const bytes = fromBase64(salt);
    must(5, equal(bytes, derived), `the salt of "${name}" does not derive from the key`);
    return fieldLeaf(name, bytes, value);
  });
  must(5, toHex(merkleRoot(leaves)) === receipt.fields.root, 'the opened fields are not those that were signed');
  checkPersona(openings.persona, manifest);
  const values = FIELD_NAMES.map((name, i) => [name, openings.fields[i].value]);
  const fields = Object.fromEntries(values);
  const broken = brokenFieldRule(fields);
  must(5, broken === null, broken);
  found.openings = { persona: openings.persona, fields };
}

/** @param {any} persona @param {any} manifest */
export function checkPersona(persona, manifest) {
  const hash = toHex(sha256(encodeCanonical(persona)));
  must(5, hash === manifest.persona, 'the persona is not the one that the creator signed');
}

/** @param {Case} found */
export function checkSeed({ receipt, manifest, openings: { fields } }) {
  const { platform, bot, chat, thread, message } = fields.slot;
  const known = PLATFORMS.get(platform);
  must(6, known !== undefined, 'the message comes from a platform that the formats do not know');
  for (const [name, form] of Object.entries(known.forms)) {
    must(6, form.test(fields.slot[name]), `the message’s place has a "${name}" that ${platform} does not write so`);
  }
  must(6, receipt.numbering === known.numbering, 'the receipt is wrong about who numbered the message');
  const slot = taggedHash('slot-input', fromHex(manifest.twin), platform, bot, chat, thread, message);
  const beta = verifyVrf(fromHex(manifest.operator.vrf_key), slot, fromBase64(fields.seed.vrf_proof));
  must(6, beta !== null, 'the proof of the seed is false');
  const tag = toHex(taggedHash('slot', beta).subarray(0, 16));
  must(6, tag === receipt.seed.slot_tag, 'the slot tag does not come from the seed');
  const { rejected } = fields.reply;
  must(6, rejected <= receipt.attempt, 'more attempts were rejected than there were before this one');
  const asked = fields.event.regenerate !== null;
  must(6, asked === receipt.attempt > rejected, 'a fan’s wish for another reply belongs to every attempt that neither is the first nor follows rejected ones from it, and to no other');
}

/** @param {Case} found */
export function checkContext({ receipt, manifest, openings: { fields } }) {
  const broken = receipt.type === 'fixed' ? brokenFixedRule(fields, receipt, manifest) : brokenReplyRule(fields, manifest);
  must(7, broken === null, broken);
}
