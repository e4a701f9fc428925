/** What a verification step says when the evidence is false. */
export class Failure extends Error {
  /**
   * @param {number} step number of the step in formats.md section 11
   * @param {string} reason one sentence without a full stop
   */
  constructor(step, reason) {
    super(`step ${step}: ${reason}`);
    this.name = 'Failure';
    this.step = step;
    this.reason = reason;
  }
}

/** Bytes or text that are not what the format says; the caller knows the step. */
export class Malformed extends Error {
  /** @param {string} reason one sentence without a full stop */
  constructor(reason) {
    super(reason);
    this.name = 'Malformed';
    this.reason = reason;
  }
}

/**
 * Require a condition of a step.
 * @param {number} step
 * @param {boolean} condition
 * @param {string} reason
 */
export function must(step, condition, reason) {
  if (!condition) throw new Failure(step, reason);
}
