/** The whole verification: runs the steps in their order and reports on each. */
import { parseCanonical } from './canonical.js';
import { bytesOf } from './bytes.js';
import { checkDisclosed, checkDisclosure } from './disclosed_steps.js';
import { Failure, Malformed } from './failure.js';
import { checkAfterwards, checkLog, checkPolicy } from './log_steps.js';
import { readPolicy } from './policy.js';
import { makeResult } from './result.js';
import * as steps from './steps.js';

const hidden = (found) => (found.key === null ? 'hidden' : null);
const omitted = () => 'omitted';
const without = (...parts) => ({ bundle }) => (parts.every((part) => bundle[part] === null) ? 'absent' : null);
/** Steps of a disclosure and of a bundle have these in common. */
const PROVENANCE = [
  [2, steps.checkReceiptSignature],
  [3, steps.checkManifest],
  [4, steps.checkTerms],
];
const LOGGED = [
  [8, checkLog],
  [9, checkAfterwards, without('outcome', 'revocation')],
  [10, checkPolicy, (found) => (found.policy === null ? 'absent' : null)],
];
const STEPS = {
  bundle: [
    [1, steps.checkBundle],
    ...PROVENANCE,
    [5, steps.checkOpenings, hidden],
    [6, steps.checkSeed, hidden],
    [7, steps.checkContext, hidden],
    ...LOGGED,
  ],
  disclosure: [
    [1, checkDisclosure],
    ...PROVENANCE,
    [5, checkDisclosed],
    [6, steps.checkSeed, omitted],
    [7, steps.checkContext, omitted],
    ...LOGGED,
  ],
};

/**
 * Verify one bundle. Doesn't throw, whatever the bundle is; the result says which step failed.
 * @param {import('./result.d.ts').Evidence} evidence
 * @returns {Promise<import('./result.d.ts').Result>}
 */
export const verify = (evidence) => run('bundle', evidence);

/**
 * Verify one disclosure in the same way; with a key its step 5 fails.
 * @param {import('./result.d.ts').Evidence} evidence
 * @returns {Promise<import('./result.d.ts').Result>}
 */
export const verifyDisclosure = (evidence) => run('disclosure', evidence);

/**
 * Tell what a file claims to be; what is neither counts as a bundle, whose first step refuses it.
 * @param {Uint8Array|string} file
 * @returns {'bundle'|'disclosure'}
 */
export function kindOf(file) {
  try {
    const { v } = parseCanonical(bytesOf(file));
    return typeof v === 'string' && v.startsWith('twinproof-disclosure/') ? 'disclosure' : 'bundle';
  } catch {
    return 'bundle';
  }
}

async function run(kind, { bundle, key = null, receiptId = null, policy = null }) {
  const found = { file: bundle, key, receiptId, policy: policy && readPolicy(policy) };
  const results = [];
  let failure = null;
  for (const [n, check, excuse] of STEPS[kind]) {
    const state = failure ? 'skipped' : excuse?.(found);
    if (state) {
      results.push({ n, state });
      continue;
    }
    try {
      await check(found);
      results.push({ n, state: 'passed' });
    } catch (error) {
      failure = asFailure(error, n);
      results.push({ n, state: 'failed', reason: failure.reason });
    }
  }
  return makeResult(kind, results, failure, found);
}

/**
 * What a step could not work through has not passed it, whatever the error was.
 * @param {unknown} error
 * @param {number} step that was running
 * @returns {Failure}
 */
function asFailure(error, step) {
  if (error instanceof Failure) return error;
  if (error instanceof Malformed) return new Failure(step, error.reason);
  return new Failure(step, `the check could not be finished (${error instanceof Error ? error.name : 'error'})`);
}
