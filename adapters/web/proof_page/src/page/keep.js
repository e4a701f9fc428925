/** Files to keep and codes to show: only what the viewer asks for holds the key. */
import encodeQR from 'qr';
import { byId, copyText, draw, make, tell } from './dom.js';

/**
 * @typedef {object} Kept
 * @property {Uint8Array} bytes of the proof, as they came
 * @property {'bundle'|'disclosure'} kind
 * @property {string} id of the receipt
 * @property {string|null} key base64url
 * @property {string|null} link public address of the proof, without fragment
 */

/** @param {Kept} kept */
export function offerFiles({ bytes, kind, id, key }) {
  const whole = `${id}${kind === 'disclosure' ? '.shown' : ''}.json${key ? `#k=${key}` : ''}`;
  const button = byId('download');
  button.textContent = key ? 'Download the proof, with its key' : 'Download the proof';
  button.onclick = () => download(whole, bytes);
  byId('keep-key').textContent = key
    ? 'The key is in the file’s name, after #: whoever has the file under this name can read the words. Under another name it stays closed.'
    : 'There is no key in it: what it keeps closed stays closed.';
  const file = JSON.parse(new TextDecoder().decode(bytes));
  const bundle = kind === 'disclosure' ? file.bundle : file;
  // Canonical JSON stays canonical: parsing keeps the order of keys, and nothing else can differ.
  byId('download-public').onclick = () => download(`${id}.public.json`, JSON.stringify({ ...bundle, sealed: null }));
  byId('download-log').onclick = () => download(`${id}.tlog-proof`, bundle.log.proof);
}

function download(name, content) {
  const address = URL.createObjectURL(new Blob([content], { type: 'application/octet-stream' }));
  make('a', { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
  tell(`Saved as a file: ${name.split('#')[0]}.`);
}

/** @param {Kept} kept */
export function offerLink({ link, key }) {
  byId('share').hidden = link === null;
  if (link === null) return;
  const toggle = byId('private');
  toggle.hidden = key === null;
  const show = (isPrivate) => {
    const address = isPrivate ? `${link}#k=${key}` : link;
    toggle.setAttribute('aria-pressed', String(isPrivate));
    toggle.textContent = isPrivate ? 'Back to the code without the key' : 'Show the code with the key';
    byId('share').classList.toggle('private', isPrivate);
    byId('share-what').textContent = isPrivate
      ? 'Careful: this code and link hold the key. Whoever scans them, now or from a photo, can read the message and the reply, for ever.'
      : `This code holds the link without the key: it shows that the reply was signed and logged, and not a word of it.${key === null ? '' : ' With the key, the code would open the message and the reply to anybody who scans it.'}`;
    byId('share-link').textContent = address;
    byId('qr').replaceChildren(drawCode(address, isPrivate ? 'QR code of the link with the key' : 'QR code of the link without the key'));
  };
  toggle.onclick = () => {
    show(toggle.getAttribute('aria-pressed') === 'false');
    tell(byId('share-what').textContent);
  };
  byId('copy-link').onclick = () => copyText('share-link', byId('copy-link'));
  byId('copy-link').textContent = 'Copy this link';
  show(false);
}

/** @param {string} text @param {string} label @returns {SVGElement} dark on light in every theme, as scanners want it */
function drawCode(text, label) {
  const rows = encodeQR(text, 'raw', { ecc: 'medium', border: 4 });
  const path = rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ''))).join('');
  const side = rows.length;
  const svg = draw(
    'svg',
    { viewBox: `0 0 ${side} ${side}`, role: 'img', 'shape-rendering': 'crispEdges' },
    draw('rect', { width: String(side), height: String(side), fill: '#ffffff' }),
    draw('path', { d: path, fill: '#111614' }),
  );
  svg.setAttribute('aria-label', label);
  return svg;
}
