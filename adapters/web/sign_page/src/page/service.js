/** The three questions that this page asks its own host, and nobody else. */
import { Refused } from '../core/refused.js';

const base = location.pathname.replace(/\/$/, '');

/** The link is of no use any more: unknown, too late, or used. */
export class LinkEnded extends Error {
  /** @param {number} status @param {string} sentence */
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/** The service could not be asked, or could not do it now: the same may be sent again. */
export class NotNow extends Refused {}

/** @returns {Promise<any>} what is to be signed */
export const fetchRequest = () => ask('request.json');

/** @param {string} signer @param {string} payout @returns {Promise<any>} what this address would sign */
export const prepare = (signer, payout) => ask('prepare', { signer, payout });

/** @param {string} body @param {string} signature @returns {Promise<string>} what is in force now */
export const submit = async (body, signature) => (await ask('submit', { body, signature })).done;

async function ask(name, question) {
  const post = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(question) };
  let response;
  let answer;
  try {
    response = await fetch(`${base}/${name}`, { cache: 'no-store', ...(question ? post : {}) });
    answer = await response.json();
  } catch {
    throw new NotNow('The service does not answer. Nothing is lost: check your connection and try again.');
  }
  if (response.ok) return answer;
  const sentence = typeof answer?.error === 'string' ? answer.error : 'The service could not do that. Try again later.';
  if ([404, 409, 410].includes(response.status)) throw new LinkEnded(response.status, sentence);
  throw response.status === 429 || response.status >= 500 ? new NotNow(sentence) : new Refused(sentence);
}
