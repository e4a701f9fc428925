/** The whole verification: runs the steps in their order and reports on each. */
import { utf8 } from './bytes.js';
import { Failure, Malformed } from './failure.js';
import * as steps from './steps.js';

/**
 * What became of one step. `hidden`: needs the key. `absent`: there is nothing to check.
 * `skipped`: an earlier step failed.
 * @typedef {'passed'|'failed'|'hidden'|'absent'|'skipped'} StepState
 */

/**
 * @typedef {object} Report
 * @property {{n: number, state: StepState, reason?: string}[]} steps
 * @property {Failure|null} failure
 * @property {string[]} levels reached, lowest first
 * @property {'policy'|'self-consistent'|null} trust null when a step failed
 * @property {import('./steps.js').Case} found what the steps established; of a failed
 *   verification nothing in it may be shown as genuine
 */

const hidden = (found) => (found.key === null ? 'hidden' : null);
const STEPS = [
  [1, steps.checkBundle],
  [2, steps.checkReceiptSignature],
  [3, steps.checkManifest],
  [4, steps.checkTerms],
  [5, steps.checkOpenings, hidden],
  [6, steps.checkSeed, hidden],
  [7, steps.checkContext, hidden],
  [8, steps.checkLog],
  [9, steps.checkOutcome, (found) => (found.bundle.outcome === null ? 'absent' : null)],
  [10, steps.checkPolicy, (found) => (found.policy === null ? 'absent' : null)],
];

/**
 * Verify one bundle. Never throws for false evidence; the report says which step failed.
 * @param {object} evidence
 * @param {string|Uint8Array} evidence.bundle
 * @param {Uint8Array|null} [evidence.key]
 * @param {string|null} [evidence.receiptId]
 * @param {{creators: string[], logs: string[]}|null} [evidence.policy]
 * @returns {Promise<Report>}
 */
export async function verify({ bundle, key = null, receiptId = null, policy = null }) {
  const bytes = typeof bundle === 'string' ? utf8(bundle) : bundle;
  const found = { bytes, key, receiptId, policy };
  const results = [];
  let failure = null;
  for (const [n, check, excuse] of STEPS) {
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
  return {
    steps: results,
    failure,
    levels: failure ? [] : ['L0', 'L1-unwitnessed'],
    trust: failure ? null : trustOf(policy),
    found,
  };
}

const trustOf = (policy) => (policy === null ? 'self-consistent' : 'policy');

/** @param {unknown} error @param {number} step @returns {Failure} */
function asFailure(error, step) {
  if (error instanceof Failure) return error;
  if (error instanceof Malformed) return new Failure(step, error.reason);
  throw error;
}
