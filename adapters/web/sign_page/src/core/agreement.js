/** What you see is what you sign: the server's proposal against what the page shows and works out. */
import { NO_ADDRESS } from './keys.js';
import { isPersonaText } from './persona.js';
import {
  Malformed, encodeCanonical, equal, fromHex, taggedHash, toHex,
} from './shared.js';
import { readStatement } from './statements.js';

/**
 * Read a proposal and refuse it unless it is what the page shows.
 * @param {any} request answer of request.json
 * @param {{body: string, typed_data: object, digest: string}} prepared
 * @param {{signer: string, payout: string}} wish both EIP-55; no payout: empty
 * @returns {import('./statements.js').Statement}
 */
export function readProposal(request, prepared, wish) {
  const statement = readStatement(prepared.body, request.twin_name);
  const { form, value, typedData, digest } = statement;
  const twin = toHex(taggedHash('twin', fromHex(wish.signer.slice(2).toLowerCase()), request.slug));
  require(form === (request.kind === 'publish' ? 'manifest' : 'order'), 'it is another kind of statement');
  require(value.twin === twin, 'it is about another twin');
  if (form === 'manifest') requireManifest(value, request, wish);
  else requireOrder(value, request);
  require(equal(encodeCanonical(typedData), encodeCanonical(prepared.typed_data)), 'the wallet would be shown something else');
  require(prepared.digest === `0x${toHex(digest)}`, 'its digest is not what this browser works out');
  return statement;
}

function requireManifest(manifest, request, { signer, payout }) {
  require(manifest.name === request.twin_name && manifest.slug === request.slug, 'it has another name');
  require(manifest.version === request.version, 'it is another version');
  require(manifest.creator === signer, 'it names another creator');
  require(manifest.payout === (payout || NO_ADDRESS), 'it pays another address');
  require(manifest.valid_from < manifest.valid_until, 'it ends before it begins');
  require(isPersonaText(request.persona_text, manifest.name, manifest.persona), 'its persona is not the text shown here');
}

function requireOrder(order, request) {
  require(order.action === request.kind, 'it orders something else');
  require((order.manifest === null) === (request.version === null), 'it is about another version');
  require(order.issued <= order.expires, 'it ends before it begins');
}

function require(holds, reason) {
  if (!holds) throw new Malformed(reason);
}
