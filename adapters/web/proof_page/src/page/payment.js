/** Who paid for a reply, in words for people; the payer is always the operator’s word. */
import { amount, chainName } from './forms.js';

/** @typedef {import('../verify/result.d.ts').Proved} Proved */

/** Whose money it was, where a price was given back (to whom, the proof does not say) or never taken. */
const SOURCES = {
  sponsor: () => 'the operator’s budget',
  paid: (owner) => `${owner} credit`,
  promotional: () => 'a gift of the operator',
};

/** @param {Proved} proved @returns {[string, string, string]} name, value, remark */
export function describePrice({ price, receipt, outcome, said }) {
  const owner = said ? 'your' : 'the fan’s'; // whoever has the key is the fan, or was let in by the fan
  if (price.payer === 'free') {
    return ['Price', 'Free', receipt.type === 'fixed' ? 'a fixed answer costs nothing' : 'the creator has signed that this twin costs nothing'];
  }
  const source = SOURCES[price.payer](owner);
  if (outcome?.outcome === 'undelivered') return ['Price', 'Nothing: not delivered', `${price.text} from ${source} would have paid for it; the operator’s word`];
  if (outcome?.outcome === 'refunded') return ['Price', 'Nothing: given back', `${price.text} that came from ${source}; the operator’s word`];
  const [value, remark] = describePayer(price, owner);
  return ['Price', value, `${CONDITIONS[outcome?.outcome ?? 'none'] ?? ''}${remark}; who paid is the operator’s word`];
}

/** Outcomes that do not settle by themselves whether the price was taken. */
const CONDITIONS = { none: 'once it is delivered; ', withdrawn: 'if it had been delivered before; ' };

function describePayer({ payer, text, creatorNano, operatorNano }, owner) {
  const earned = `${text}, of which the creator earns ${amount(creatorNano)}`;
  if (payer === 'sponsor') return [`Paid from the operator’s budget: free for ${owner === 'your' ? 'you' : 'the fan'}`, earned];
  if (payer === 'paid') return [`Paid with ${owner} credit: ${earned}`, `the operator keeps ${amount(operatorNano)}`];
  return ['Paid with a gift of the operator: the creator earns nothing from it', text];
}

const PAYERS = {
  free: 'nobody', sponsor: 'the operator’s sponsorship budget', paid: 'credit that was bought', promotional: 'credit that the operator gave away',
};

/** @param {Proved} proved @returns {[string, string][]} */
export function describePaymentFacts({ price, terms, registry }) {
  return [
    ['Signed price and split', `${terms.price}; ${terms.split}`],
    ['Whose money pays', `${PAYERS[price.payer]} (“${price.payer}”, the operator’s word)`],
    ['Rate table of the credit', price.rateTable ?? 'none: no bought credit paid'],
    ['Registry block', registry ? `${chainName(registry.chain)}, block ${registry.number}\n${registry.hash}\nWhere the operator says that it looked the twin up; this page has not asked that chain.` : 'none: the operator names no registry'],
  ];
}
