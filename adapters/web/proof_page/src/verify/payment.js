/** Whose money pays for a reply, and what follows for its price (formats.md section 7). */

/** Payers of whose money creator and operator have their shares. */
const SHARED = ['sponsor', 'paid'];

/**
 * @param {any} receipt
 * @param {any} manifest
 * @returns {string|null} what is wrong with payer, price, split or rate table
 */
export function brokenPaymentRule({ type, payer, price, rate_table: rateTable }, { price: terms, split }) {
  if (price.token !== terms.token) return 'the price is in another money than the creator signed';
  if (price.free_daily !== terms.free_daily) return 'the number of free replies is not the one that the creator signed';
  const costsNothing = terms.nano === 0 || type === 'fixed';
  if (costsNothing && payer !== 'free') return 'somebody is said to pay for what costs nothing';
  if (!costsNothing && payer === 'free') return 'nobody is said to pay for what has a price';
  if (price.nano !== (costsNothing ? 0 : terms.nano)) return 'the price is not the one that the creator signed';
  const shared = SHARED.includes(payer) ? BigInt(price.nano) : 0n;
  const creatorPart = (shared * BigInt(split.creator_bp)) / 10000n;
  if (BigInt(price.creator_nano) !== creatorPart || BigInt(price.operator_nano) !== shared - creatorPart) {
    return 'the price is not split as the creator signed';
  }
  if (payer === 'paid' && rateTable === null) return 'bought credit paid, and no rate table says what it was bought for';
  if (payer !== 'paid' && rateTable !== null) return 'a rate table is named where no bought credit paid';
  return null;
}
