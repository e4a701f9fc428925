/** The page: gets a bundle and a key from link, disk or field, verifies, shows. */
import { Malformed } from '../verify/failure.js';
import { parseLink, parsePolicy, receiptIdOf } from '../verify/link.js';
import { toBase64Url } from '../verify/bytes.js';
import { messageText } from '../verify/context.js';
import { verify } from '../verify/verify.js';
import { byId, showError } from './dom.js';
import { showNothing, showReport } from './view.js';

const onServer = location.protocol !== 'file:' && /\/r\/[A-Za-z0-9_-]{22}$/.test(location.pathname);

/** What is being checked; changed by the person's actions only. */
const evidence = { bundle: null, fileName: null, pasted: onServer ? location.href : '', policy: null };

/** Numbers the checks, so that a slow older one never overwrites a newer one. */
let newest = 0;

/** Verify what there is and show it. */
async function check() {
  newest += 1;
  const mine = newest;
  if (evidence.bundle === null) return;
  const { key, receiptId, problem } = readLink();
  const report = await verify({ bundle: evidence.bundle, key, receiptId, policy: evidence.policy });
  if (mine !== newest) return;
  showReport(report, onServer && evidence.fileName === null ? 'this same host' : 'the bundle itself');
  showWaysOn(report, key);
  if (problem) showError('local-error', `${problem}.`);
  tellEmbedder(report);
}

/** A link whose key cannot be read counts as a wrong key, so that step 5 fails. */
function readLink() {
  try {
    return parseLink(evidence.pasted);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const { receiptId } = parseLink(evidence.pasted.split('#')[0]);
    return { receiptId, key: new Uint8Array(0), problem: error.reason };
  }
}

/** Command, file name and buttons for this very bundle. */
function showWaysOn({ failure, found }, key) {
  if (failure) return;
  const id = receiptIdOf(found.bundle.receipt.hash);
  const fragment = key ? `#k=${toBase64Url(key)}` : '';
  const place = onServer ? location.href.split('#')[0] : (evidence.fileName ?? `${id}.json`);
  byId('command').textContent = `.venv/bin/twinproof replay '${(place + fragment).replaceAll('\'', '\'\\\'\'')}'`;
  byId('keep-key').hidden = key === null;
  byId('kept').textContent = `${id}.json${fragment}`;
  byId('download').onclick = () => download(`${id}.json`);
}

function download(name) {
  const address = URL.createObjectURL(new Blob([evidence.bundle], { type: 'application/json' }));
  Object.assign(document.createElement('a'), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** Fetch the bundle from this page's own host. */
async function fetchBundle() {
  showNothing('waiting', 'Checking…');
  try {
    const response = await fetch(`${location.pathname}.json`, { cache: 'no-cache' });
    if (response.ok) {
      evidence.bundle = new Uint8Array(await response.arrayBuffer());
      await check();
      return;
    }
    showNothing('unavailable', 'There is nothing to check', 'This host has no bundle for this link: it was erased, the link is wrong, or the reply is not in the log yet. A new reply gets there within some seconds; then load this page again.', 'If you kept the bundle as a file, choose it below.');
  } catch {
    showNothing('unavailable', 'The host does not answer', 'If you kept the bundle as a file, choose it below.');
  }
  byId('local').hidden = false;
  tellEmbedder();
}

/**
 * Tell the chat page, which opens this page in a frame, what came out here.
 * @param {import('../verify/verify.js').Report} [report]
 */
function tellEmbedder(report) {
  if (window.parent === window) return;
  const { verdict } = document.documentElement.dataset;
  const fields = report?.failure === null ? report.found.openings?.fields : undefined;
  const words = { message: fields && messageText(fields), reply: fields?.reply.text };
  window.parent.postMessage({ verdict, ...words }, location.origin);
}

/** @param {File|undefined} file */
async function takeFile(file) {
  if (!file) return;
  showError('local-error');
  const [, fragment] = file.name.split(/(#k=.*)$/);
  if (fragment && !byId('pasted').value) byId('pasted').value = fragment.slice(3);
  evidence.bundle = new Uint8Array(await file.arrayBuffer());
  evidence.fileName = file.name.replace(/#k=.*$/, '');
  await takePasted();
}

async function takePasted() {
  showError('local-error');
  if (byId('pasted').value || !onServer) evidence.pasted = byId('pasted').value;
  await check();
}

async function takePolicy(event) {
  event.preventDefault();
  showError('policy-error');
  try {
    evidence.policy = parsePolicy(byId('keys').value);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    showError('policy-error', `This is no trust policy: ${error.reason}.`);
    return;
  }
  await checkAgain();
}

async function checkAgain() {
  byId('without').hidden = evidence.policy === null;
  await check();
  byId('verdict').scrollIntoView({ block: 'center' });
}

async function copyCommand() {
  const text = byId('command').textContent;
  try {
    await navigator.clipboard.writeText(text);
    byId('copy').textContent = 'Copied';
  } catch {
    getSelection().selectAllChildren(byId('command'));
    byId('copy').textContent = 'Selected: copy it with your keyboard';
  }
  byId('status').textContent = byId('copy').textContent;
}

function listen() {
  byId('policy').addEventListener('submit', takePolicy);
  byId('without').addEventListener('click', () => {
    evidence.policy = null;
    checkAgain();
  });
  byId('copy').addEventListener('click', copyCommand);
  byId('file').addEventListener('change', (event) => takeFile(event.target.files[0]));
  byId('pasted').addEventListener('input', takePasted);
  for (const kind of ['dragover', 'drop', 'dragleave']) {
    addEventListener(kind, (event) => {
      event.preventDefault();
      document.body.classList.toggle('dropping', kind === 'dragover');
      if (kind === 'drop') takeFile(event.dataTransfer.files[0]);
    });
  }
  addEventListener('hashchange', () => {
    if (!onServer) return;
    evidence.pasted = location.href;
    check();
  });
}

listen();
byId('save').href = location.href.split('#')[0];
byId('save').hidden = !onServer;
if (onServer) {
  fetchBundle();
} else {
  byId('local').hidden = false;
  showNothing('waiting', 'Choose a bundle to check', 'This saved page checks proofs without any network.');
}
