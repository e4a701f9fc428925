/** The page: gets a proof and a key from link, disk or field, verifies, shows. */
import { isAsker, onServer } from './narrow.js';
import { answerOnce } from './asker.js';
import { fetchProof } from './arrive.js';
import { byId, showError } from './dom.js';
import { evidence, openProof } from './evidence.js';
import { offerFiles, offerLink } from './keep.js';
import { parsePolicy } from '../verify/link.js';
import { Malformed } from '../verify/failure.js';
import { withAnchor } from '../verify/anchor.js';
import { showNothing, showResult } from './view.js';
import { sourceOfKeys } from './words.js';

/** Numbers the checks, so that a slow older one never overwrites a newer one. */
let newest = 0;

/** Verify what there is and show it. */
async function check() {
  newest += 1;
  const mine = newest;
  if (evidence.bytes === null) return;
  performance.mark('check');
  const { result, key, problem } = await openProof();
  if (mine !== newest) return;
  evidence.lookup = null;
  show(result, key);
  performance.mark('verdict');
  performance.measure('checking', 'check', 'verdict');
  showError('local-error', problem && `${problem}.`);
  if (result.failure) byId('local').hidden = false;
  tellEmbedder(result);
}

/** @param {import('../verify/result.d.ts').Result} verified @param {string|null} key */
function show(verified, key) {
  const { lookup, policy, rpc } = evidence;
  const result = lookup ? withAnchor(verified, lookup) : verified;
  const command = replayCommand(result, key);
  const onLookup = (answer, asked) => {
    Object.assign(evidence, { lookup: answer, rpc: asked });
    show(verified, key);
    byId('rpc')?.focus();
  };
  showResult(result, { source: sourceOfKeys(onServer && evidence.fileName === null), lookup, policy, rpc, command, onLookup });
  byId('checked-at').textContent = `Checked on ${new Date().toLocaleString('en-GB', { dateStyle: 'long', timeStyle: 'medium' })} by this computer’s clock.`;
  if (result.failure) return;
  const { id } = result.proved.receipt;
  const kept = { bytes: evidence.bytes, kind: result.kind, id, key: result.opened ? key : null, link: publicLink(id) };
  offerFiles(kept);
  offerLink(kept);
}

/** @returns {string|null} where others find this proof, as far as this page knows */
function publicLink(id) {
  const address = (onServer && evidence.fileName === null ? location.href : evidence.pasted).split('#')[0].trim();
  return /^https?:\/\/.+\/r\//.test(address) && address.endsWith(id) ? address : null;
}

function replayCommand({ opened, proved }, key) {
  if (!opened) return null;
  const own = evidence.fileName ?? `${proved.receipt.id}.json`;
  const place = onServer && evidence.fileName === null ? location.href.split('#')[0] : own;
  return `.venv/bin/twinproof replay '${`${place}#k=${key}`.replaceAll('\'', '\'\\\'\'')}'`;
}

/**
 * Tell the chat page, which opens this page in a frame, what came out here.
 * @param {import('../verify/result.d.ts').Result} [result]
 */
function tellEmbedder(result) {
  if (window.parent === window || !onServer) return;
  const said = result?.proved?.said;
  window.parent.postMessage({ verdict: result?.verdict ?? 'unavailable', message: said?.message, reply: said?.reply }, location.origin);
}

/** Get the proof from this page's own host. */
async function arrive() {
  byId('again').disabled = true;
  const bytes = await fetchProof(tellEmbedder);
  byId('again').disabled = false;
  // A file that was chosen while the host was asked is what the person wants to see.
  if (evidence.fileName !== null) return;
  if (bytes === null) {
    byId('local').hidden = false;
    return;
  }
  evidence.bytes = bytes;
  await check();
}

/** @param {File|undefined} file a proof, or a trust policy */
async function takeFile(file) {
  if (!file) return;
  showError('local-error');
  const bytes = new Uint8Array(await file.arrayBuffer());
  const text = bytes.length < 65536 ? new TextDecoder().decode(bytes) : '';
  if (/"v"\s*:\s*"twinproof-policy\//.test(text)) {
    byId('keys').value = text;
    await takePolicy();
    return;
  }
  const [, fragment] = file.name.split(/(#k=.*)$/);
  if (fragment) evidence.pasted = fragment.slice(3);
  if (fragment) byId('pasted').value = fragment.slice(3);
  evidence.bytes = bytes;
  evidence.fileName = file.name.replace(/#k=.*$/, '');
  await takePasted();
}

async function takePasted() {
  showError('local-error');
  if (byId('pasted').value || !onServer) evidence.pasted = byId('pasted').value;
  await check();
}

/** The key that is missing. A half-typed or foreign one is said beside the field: it takes nothing away. */
async function takeKey() {
  const typed = byId('key').value.trim();
  if (typed.length < 43) {
    showError('key-error');
    return;
  }
  const before = evidence.pasted;
  evidence.pasted = typed;
  const { result } = await openProof();
  if (!result.opened) {
    evidence.pasted = before;
    showError('key-error', 'This does not open the reply. Perhaps it was cut, or belongs to another one.');
    return;
  }
  showError('key-error');
  byId('key').value = '';
  await check();
  byId('verdict').scrollIntoView({ block: 'center' });
}

async function takePolicy(event) {
  event?.preventDefault();
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

async function takePolicyFile({ target: { files: [file] } }) {
  if (!file) return;
  byId('keys').value = await file.text();
  await takePolicy();
}

function listen() {
  byId('policy').addEventListener('submit', takePolicy);
  byId('policy-file').addEventListener('change', takePolicyFile);
  byId('without').addEventListener('click', () => {
    evidence.policy = null;
    checkAgain();
  });
  byId('again').addEventListener('click', arrive);
  byId('key').addEventListener('input', takeKey);
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

function begin() {
  listen();
  byId('save').href = location.href.split('#')[0];
  byId('save').hidden = !onServer;
  if (onServer) {
    evidence.pasted = location.href;
    arrive();
    return;
  }
  byId('local').hidden = false;
  evidence.pasted = byId('pasted').value = location.hash.startsWith('#k=') ? location.hash.slice(3) : byId('pasted').value;
  showNothing('waiting', 'Choose a proof to check', 'This saved page checks proofs without any network.');
}

if (isAsker) answerOnce();
else begin();
