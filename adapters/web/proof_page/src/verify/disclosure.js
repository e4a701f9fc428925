/** Verifying a disclosure file: the steps are those of verify.js. */
export { verifyDisclosure } from './verify.js';
