/** What people read: titles, explanations and rows for each kind of request. */
import { NO_ADDRESS } from '../core/keys.js';
import { fixedText, toHex } from '../core/shared.js';

const HARMLESS = 'Signing is free. It moves no money and lets nobody into your wallet or account.';

/** @param {any} request @returns {{title: string, lead: string, agree: string}} */
export function describeRequest({ kind, twin_name: name, version }) {
  if (kind === 'publish') {
    return {
      title: `Publish ${name}, version ${version}`,
      lead: `With your signature this version answers fans in your name, on the terms below. ${HARMLESS}`,
      agree: 'I have read the persona text, and I know that it becomes public in this way.',
    };
  }
  if (kind === 'pause') {
    return {
      title: `Pause ${name}`,
      lead: `With your signature ${name} stops answering within seconds, until you sign that it may go on. ${HARMLESS}`,
      agree: '',
    };
  }
  if (kind === 'resume') {
    return { title: `Let ${name} answer again`, lead: `With your signature the pause ends. ${HARMLESS}`, agree: '' };
  }
  const whole = version === null;
  return {
    title: whole ? `Revoke ${name} for ever` : `Revoke version ${version} of ${name}`,
    lead: whole
      ? `With your signature ${name} stops answering and can never be published again. ${HARMLESS}`
      : `With your signature version ${version} stops answering and can never answer again. ${HARMLESS}`,
    agree: whole ? `I know that nobody can undo this, and that ${name} ends here.` : 'I know that nobody can undo this.',
  };
}

/** @param {import('../core/statements.js').Statement} statement @param {any} request @param {string} signer */
export function describeStatement({ form, value, message, digest }, request, signer) {
  const rows = form === 'manifest' ? [
    ['Twin', `${value.name} (${value.slug}), version ${value.version}`],
    ['Persona', 'the text shown above, letter by letter'],
    ['Price', message.price],
    ['Split', message.split],
    ...(value.price.nano === 0 ? [] : [['Free replies', describeFree(value.price.free_daily)]]),
    ['Paid to', value.payout === NO_ADDRESS ? 'nobody yet: your share accrues until a later version names an address' : value.payout],
    ['Model', `${value.model.name} (${shorten(value.model.gguf)})`],
    ['Fixed answers', describeRules(value.rules)],
    ['Drawn again', describeRedraws(value.filter.redraws)],
    ['Valid', `from ${readableTime(value.valid_from)} to ${readableTime(value.valid_until)}`],
  ] : [
    ['Order', `${value.action}, number ${value.number} of this twin`],
    ['Twin', `${request.twin_name} (${request.slug})`],
    ...(value.manifest ? [['Version', `${request.version} (${shorten(value.manifest)})`]] : []),
    ['Must arrive', `before ${readableTime(value.expires)}`],
  ];
  return [...rows, ['Written into the log', message.logOrigin], ['Signed by', signer], ['Digest', `0x${toHex(digest)}`]];
}

/** @param {number} daily @returns {string} who pays for what fans get free */
function describeFree(daily) {
  if (daily === 0) return 'none: every reply costs its price';
  return `a fan’s first ${daily === 1 ? 'one' : daily} in 24 hours: the operator pays their price, as far as its budget goes, and you have your share of it`;
}

/** @param {string[]} rules @returns {string} what is answered without the model, to the letter */
const describeRules = (rules) => (
  rules.length === 0 ? 'none' : rules.map((id) => `${id}, free of charge, word for word: “${fixedText(id)}”`).join(' ')
);

/** @param {number} redraws @returns {string} */
function describeRedraws(redraws) {
  if (redraws === 0) return 'never: each reply is kept as it comes';
  return `at most ${redraws === 1 ? 'once' : `${redraws} times`}, when a reply repeats one to another message word for word`;
}

/** @param {string} time RFC 3339 @returns {string} */
export function readableTime(time) {
  const format = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' });
  return `${format.format(new Date(time))} UTC`;
}

/** @param {string} time RFC 3339 @returns {string} when a link ends, on this computer's clock */
export function describeDeadline(time) {
  const minutes = Math.round((new Date(time) - Date.now()) / 60000);
  const at = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(time));
  if (minutes < 1 || minutes > 24 * 60) return `This link works until ${at}, once.`;
  const left = minutes < 120 ? `${minutes} minute${minutes === 1 ? '' : 's'}` : `${Math.round(minutes / 60)} hours`;
  return `This link works once, for another ${left} (until ${at}).`;
}

/** @param {string} hex @returns {string} */
export const shorten = (hex) => `${hex.slice(0, 10)}…${hex.slice(-6)}`;

/** @param {number} status @param {string} sentence */
export function describeEnd(status, sentence) {
  if (status === 409) return { title: 'This link is closed', sentences: [sentence, 'It works once. Ask for a new one if there is more to sign.'] };
  return {
    title: 'This link does not work any more',
    sentences: [sentence, 'Nothing was signed here. Ask for a new link where you got this one: give the same command to the bot again.'],
  };
}
