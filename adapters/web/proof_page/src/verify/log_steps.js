/** Steps 8 to 10 of formats.md section 11: log, outcome, revocation, and the viewer's own policy. */
import { concat, equal, fromHex, toHex, u16 } from './bytes.js';
import { cosignedAt, isCheckpointSignedBy, parseVerifierKey, parseWitnessKey } from './checkpoint.js';
import { orderDigest, recoverSigner } from './creator.js';
import { isSignedBy } from './dsse.js';
import { must } from './failure.js';
import { receiptTagOf, sha256 } from './hashing.js';
import { isIncluded } from './merkle.js';
import { isLogged, parseLogProof } from './log_proof.js';
import { parseOrder, parseOutcome, parseSeal } from './statements.js';

const OUTCOME_TYPE = 'application/vnd.twinproof.outcome+json';
const SEAL_TYPE = 'application/vnd.twinproof.seal+json';
const OUTCOME_CODES = { delivered: 1, undelivered: 2, withdrawn: 3, refunded: 4 };

/** @typedef {import('./steps.js').Case} Case */

/** @param {Case} found */
export async function checkLog(found) {
  const { bundle } = found;
  const { leaf } = bundle.log;
  must(8, leavesOf(found).some((own) => equal(own, leaf)), 'the log entry is not of this receipt');
  found.place = parseLogProof(bundle.log.proof);
  const { checkpoint, index } = found.place;
  must(8, isLogged(leaf, found.place), 'the log’s root does not contain this reply');
  await followSeals(found);
  must(8, found.seals.at(-1)?.kept !== index, 'the reply stands where the seal of the log before has to stand');
  must(8, checkpoint.origin === found.log.name, 'the checkpoint is of another log than the manifest names');
  const signed = await isCheckpointSignedBy(checkpoint, found.log);
  must(8, signed, 'the checkpoint is not signed by the log that the manifest names');
  if (bundle.anchor !== null) checkAnchor(bundle.anchor, leaf, index, checkpoint);
  await countWitnesses(found);
}

/** What the log may say of this receipt: without the key one does not know how many attempts were rejected. @param {Case} found */
function leavesOf({ bundle, receipt, manifestHash, openings }) {
  const counts = openings ? [openings.fields.reply.rejected] : [0, 1, 2, 3, 4];
  return counts.map((rejected) => concat(
    Uint8Array.of(1), receiptTagOf(bundle.receipt.hash), fromHex(receipt.seed.slot_tag), u16(receipt.attempt), Uint8Array.of(rejected),
    fromHex(receipt.twin).subarray(0, 8), manifestHash.subarray(0, 8),
  ));
}

/** Go from the manifest's log to the one that continues it. @param {Case} found */
async function followSeals(found) {
  found.log = parseVerifierKey(found.manifest.log.key);
  found.seals = [];
  const passed = [found.log];
  for (const envelope of found.bundle.seals) {
    const seal = parseSeal(envelope.payload);
    must(8, seal.log === found.log.vkey, 'a seal is of another log than the one before it');
    must(8, await isSignedBy(envelope, SEAL_TYPE, found.log.key), 'a seal is not signed by the log that it seals');
    must(8, seal.kept <= seal.size, 'a seal keeps more entries than the log had');
    const next = parseVerifierKey(seal.successor);
    const isNew = passed.every(({ name, key }) => name !== next.name && !equal(key, next.key));
    must(8, isNew, 'a log is continued under an origin or a key that was sealed');
    found.seals.push({ ...seal, origin: found.log.name, next: next.name });
    passed.push(next);
    found.log = next;
  }
}

function checkAnchor({ size, root, inclusion }, leaf, index, checkpoint) {
  must(8, index < size, 'the anchor is of a log that did not hold this reply yet');
  must(8, isIncluded(leaf, index, size, inclusion, root), 'the anchored root does not contain this reply');
  const same = size !== checkpoint.size || equal(root, checkpoint.root);
  must(8, same, 'the anchor has another root than the log at the same size');
}

/** A cosignature that is false makes the checkpoint suspect. @param {Case} found */
async function countWitnesses(found) {
  found.witnesses = [];
  for (const vkey of found.policy?.witnesses ?? []) {
    const witness = parseWitnessKey(vkey);
    const time = await cosignedAt(found.place.checkpoint, witness);
    const isLog = equal(witness.key, found.log.key); // no log is its own witness
    if (time !== null && !isLog) found.witnesses.push({ name: witness.name, key: vkey, time });
  }
}

/** @param {Case} found */
export async function checkAfterwards(found) {
  if (found.bundle.outcome !== null) await checkOutcome(found);
  if (found.bundle.revocation !== null) checkRevocation(found);
}

/** @param {Case} found */
async function checkOutcome(found) {
  const { bundle, receipt } = found;
  const { statement, leaf, proof } = bundle.outcome;
  const body = parseOutcome(statement.payload);
  const signed = await isSignedBy(statement, OUTCOME_TYPE, fromHex(receipt.operator));
  must(9, signed, 'the operator’s signature does not fit the outcome');
  const tag = receiptTagOf(bundle.receipt.hash);
  must(9, body.receipt === toHex(tag), 'the outcome is of another reply');
  const code = Uint8Array.of(OUTCOME_CODES[body.outcome]);
  const expected = concat(Uint8Array.of(2), statement.hash, tag, code);
  must(9, equal(leaf, expected), 'the log entry is not of this outcome');
  const index = indexOf(found, leaf, proof, 'the outcome');
  must(9, index > found.place.index, 'the outcome was logged before the reply');
  found.outcome = { body, index };
}

/** @param {Case} found */
function checkRevocation(found) {
  const { bundle, manifest, manifestHash, log, seals } = found;
  const { body, signature, leaf, proof } = bundle.revocation;
  const order = parseOrder(body);
  const hash = sha256(body);
  must(9, order.action === 'revoke', 'the order revokes nothing');
  must(9, order.twin === manifest.twin, 'the order is about another twin');
  const isThis = order.manifest === null || order.manifest === toHex(manifestHash);
  must(9, isThis, 'the order revokes another version');
  const origins = [log.name, ...seals.slice(-1).map(({ origin }) => origin)];
  must(9, origins.includes(order.log), 'the order was given to another log');
  const signer = recoverSigner(orderDigest(order, manifest.name, hash), signature);
  must(9, signer === manifest.creator, 'the creator did not sign this order');
  const expected = concat(Uint8Array.of(5), hash, fromHex(order.twin).subarray(0, 8));
  must(9, equal(leaf, expected), 'the log entry is not of this order');
  found.revocation = { body: order, hash: toHex(hash), index: indexOf(found, leaf, proof, 'the order') };
}

/** @param {Case} found @param {Uint8Array} leaf @param {string} proof @param {string} what @returns {number} */
function indexOf(found, leaf, proof, what) {
  const place = parseLogProof(proof);
  must(9, place.checkpoint.note === found.place.checkpoint.note, `${what} stands under another checkpoint than the reply`);
  must(9, isLogged(leaf, place), `the log’s root does not contain ${what}`);
  return place.index;
}

/** @param {Case} found */
export function checkPolicy(found) {
  const { policy, manifest, log, witnesses, receipt, place } = found;
  must(10, policy.creators.includes(manifest.creator), 'the creator is not one that you trust');
  const isLog = policy.logs.includes(manifest.log.key) || policy.logs.includes(log.vkey);
  must(10, isLog, 'the log key is not one that you trust');
  const bounds = boundsOf(found);
  const isRevoked = policy.revoked.some((entry) => (
    entry.manifest === receipt.manifest && bounds.has(entry.log) && place.index >= Math.min(entry.size, bounds.get(entry.log))
  ));
  must(10, !isRevoked, 'the reply was logged after the moment from which on you trust this version no more');
  must(10, witnesses.length >= policy.needed, 'too few of the witnesses that you named have cosigned the log');
}

/**
 * Of each log of the chain, the index from which on leaves are the work of a later log.
 * @param {Case} found @returns {Map<string, number>}
 */
function boundsOf({ log, seals }) {
  const bounds = new Map([[log.name, Infinity]]);
  let bound = Infinity;
  for (const { origin, kept } of [...seals].reverse()) {
    bound = Math.min(bound, kept);
    bounds.set(origin, bound);
  }
  return bounds;
}
