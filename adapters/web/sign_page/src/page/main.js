/** The page: shows a request, gets a signer, checks the service's proposal, signs, sends. */
import { readProposal } from '../core/agreement.js';
import { addressOf, readAddress, signDigest } from '../core/keys.js';
import { Refused } from '../core/refused.js';
import { Malformed } from '../core/shared.js';
import {
  announce, byId, download, goTo, make, onAction, showError, showOnly, showRows,
} from './dom.js';
import { listenToKeyPanel, resetKeyPanel } from './key_panel.js';
import {
  LinkEnded, NotNow, fetchRequest, prepare, submit,
} from './service.js';
import {
  connect, signInWallet, watchAccount, watchWallets,
} from './wallet.js';
import {
  describeDeadline, describeEnd, describeRequest, describeStatement,
} from './words.js';

const PANELS = ['panel-wallet', 'panel-key'];

/** What is known so far; a signature that could not be sent is kept, so that none is made twice. */
const session = {
  request: null, way: '', signer: '', key: null, provider: null, unwatch: () => {}, proposal: null, signature: '',
};

/** Load the request and show it, or why there is none. */
async function begin() {
  try {
    session.request = await fetchRequest();
  } catch (error) {
    if (error instanceof LinkEnded) showEnd('gone', describeEnd(error.status, error.message));
    else if (error instanceof Refused) showEnd('gone', { title: 'The service does not answer', sentences: [error.message] });
    else throw error;
    return;
  }
  if (session.request.done) {
    showEnd('done', describeEnd(409, session.request.done));
    return;
  }
  showRequest(session.request);
  listen();
}

function showRequest(request) {
  const { title, lead, agree } = describeRequest(request);
  document.title = `${title} · Twinproof`;
  byId('title').textContent = title;
  byId('lead').textContent = lead;
  byId('deadline').textContent = describeDeadline(request.expires_at);
  byId('warnings').replaceChildren(...request.warnings.map((textContent) => make('li', {}, make('span', { textContent }))));
  byId('warnings').hidden = request.warnings.length === 0;
  showRows('summary', request.summary);
  byId('changes').replaceChildren(...request.changes.map((textContent) => make('li', { textContent, className: kindOfChange(textContent) })));
  byId('changes-card').hidden = request.changes.length === 0;
  byId('persona').textContent = request.persona_text;
  byId('disclosure').hidden = request.persona_text === '';
  byId('agree-text').textContent = agree;
  byId('agree-field').hidden = agree === '';
  byId('payout-field').hidden = request.kind !== 'publish';
  if (request.signer) {
    byId('owner').textContent = `This twin belongs to ${request.signer}: the signature has to come from that address.`;
    byId('owner').hidden = false;
    byId('key-new').hidden = true;
    byId('key-way').textContent = 'The file that you saved when you made your key, or your recovery phrase.';
  }
  document.documentElement.dataset.state = 'open';
  byId('ending').hidden = true;
  byId('open').hidden = false;
}

const kindOfChange = (line) => ({ '+': 'added', '-': 'removed' })[line[0]] ?? '';

function listen() {
  for (const way of document.querySelectorAll('[name=way]')) way.addEventListener('change', () => chooseWay(way.value));
  watchWallets(showWallets);
  listenToKeyPanel(session.request.slug, useKey, dropSigner);
  onAction('who', 'who-error', propose);
  for (const id of ['signer', 'payout']) byId(id).addEventListener('input', dropProposal);
  onAction('sign', 'review-error', signHere);
  onAction('save-request', 'review-error', saveRequest);
  onAction('send', 'review-error', sendPasted);
  addEventListener('pagehide', dropSigner);
}

function chooseWay(way) {
  dropSigner();
  resetKeyPanel();
  session.way = way;
  showOnly(PANELS, `panel-${way}`);
  if (way === 'offline') askWho(session.request.signer, '', session.request.signer === '');
}

function showWallets(wallets) {
  byId('no-wallet').hidden = wallets.length > 0;
  byId('wallets').replaceChildren(...wallets.map(({ name, icon, provider }, at) => {
    const picture = icon ? [make('img', { src: icon, alt: '' })] : [];
    const button = make('button', { type: 'button', id: `wallet-${at}` }, ...picture, `Connect ${name}`);
    return button;
  }));
  wallets.forEach(({ provider }, at) => onAction(`wallet-${at}`, 'wallet-error', async () => {
    dropSigner();
    useAccount(provider, await connect(provider));
    session.unwatch();
    session.unwatch = watchAccount(provider, (account) => followAccount(provider, account));
  }));
}

/** The person has chosen another account in the wallet. */
function followAccount(provider, account) {
  if (session.way !== 'wallet') return;
  dropSigner();
  showError('wallet-error');
  if (account === '') {
    announce('The wallet is disconnected.');
    return;
  }
  try {
    useAccount(provider, account);
  } catch (error) {
    showError('wallet-error', error.message);
  }
}

function useAccount(provider, account) {
  requireOwner(account, 'In your wallet, choose that account; this page follows.');
  session.provider = provider;
  askWho(account, account, false);
}

function useKey(key) {
  const address = addressOf(key);
  try {
    requireOwner(address, 'Open the key file of that address.');
  } catch (error) {
    key.fill(0);
    throw error;
  }
  forgetKey();
  session.key = key;
  askWho(address, '', false);
}

function requireOwner(address, advice) {
  const { signer } = session.request;
  if (signer && signer !== address) throw new Refused(`This twin belongs to ${signer}, but this is ${address}. ${advice}`);
}

/** Ask for what is still open about signer and payout; an order has nothing open. */
function askWho(signer, payout, mayEdit) {
  byId('signer').value = signer;
  byId('signer').readOnly = !mayEdit;
  byId('payout').value = payout;
  showError('who-error');
  byId('who').hidden = false;
  if (session.request.kind !== 'publish' && signer) byId('who').requestSubmit();
  else byId(mayEdit ? 'signer' : 'payout').focus();
}

/** Get what this signer would sign, and refuse it unless it is what the page shows. */
async function propose() {
  dropProposal();
  const signer = readAddress(byId('signer').value);
  requireOwner(signer, 'Sign with that address.');
  const typed = session.request.kind === 'publish' ? byId('payout').value.trim() : '';
  const payout = typed && readAddress(typed);
  const prepared = await asked(() => prepare(signer, payout));
  let statement;
  try {
    statement = readProposal(session.request, prepared, { signer, payout });
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw new Refused(`The service proposes something else than this page shows: ${error.reason}. Nothing was signed. Sign this nowhere, and tell the operator.`);
  }
  session.proposal = { ...prepared, statement, signer };
  showReview(statement, signer);
}

function showReview(statement, signer) {
  showRows('rows', describeStatement(statement, session.request, signer));
  byId('body').textContent = JSON.stringify(statement.value, null, 2);
  byId('agree').checked = false;
  showError('review-error');
  showOnly(['act-here', 'act-offline'], session.way === 'offline' ? 'act-offline' : 'act-here');
  byId('sign').textContent = session.way === 'wallet' ? 'Sign in the wallet' : 'Sign with this key';
  byId('command').textContent = `twinproof sign ${requestFile()} --keystore KEY_FILE`;
  byId('review').hidden = false;
  goTo('review-title');
}

const requestFile = () => `twinproof-request-${session.request.slug}.json`;

function requireAgreement() {
  if (byId('agree-field').hidden || byId('agree').checked) return;
  byId('agree').focus();
  throw new Refused('Read the text and tick the box first.');
}

async function signHere() {
  requireAgreement();
  const { proposal } = session;
  if (!session.signature) {
    const { typedData, digest } = proposal.statement;
    if (session.way === 'wallet') announce('Look at your wallet: it asks you to sign.');
    const signature = session.way === 'wallet'
      ? await signInWallet(session.provider, proposal.signer, typedData)
      : signDigest(session.key, digest);
    if (session.proposal !== proposal) throw new Refused('Something was changed meanwhile. Look again, and sign what is shown now.');
    session.signature = signature;
  }
  await send(session.signature);
}

function saveRequest() {
  requireAgreement();
  const { body, typed_data: typedData } = session.proposal;
  download(`${JSON.stringify({ v: 'twinproof-signing/1', body, typed_data: typedData }, null, 1)}\n`, requestFile());
}

async function sendPasted() {
  requireAgreement();
  const signature = byId('signature').value.trim();
  if (!/^0x[0-9a-fA-F]{130}$/.test(signature)) throw new Refused('A signature is 0x and 130 digits or letters from a to f. Copy the whole line.');
  await send(signature);
}

async function send(signature) {
  let sentence;
  try {
    sentence = await asked(() => submit(session.proposal.body, signature));
  } catch (error) {
    if (!(error instanceof NotNow)) session.signature = '';
    throw error;
  }
  const made = byId('step-saved').hidden ? [] : ['Keep the key file and its password: you need both for your next signature.'];
  showEnd('done', { title: 'Signed', sentences: [sentence, ...made, 'You may close this page.'] });
}

/** Ask the service; where the link has ended meanwhile, show that instead. */
async function asked(question) {
  try {
    return await question();
  } catch (error) {
    if (!(error instanceof LinkEnded)) throw error;
    const end = await endOf(error);
    showEnd(error.status === 409 ? 'done' : 'gone', end);
    throw new Refused(end.title);
  }
}

/** The request itself knows best how it ended. */
async function endOf(error) {
  if (error.status !== 409) return describeEnd(error.status, error.message);
  try {
    return describeEnd(409, (await fetchRequest()).done || error.message);
  } catch {
    return describeEnd(409, error.message);
  }
}

function showEnd(state, { title, sentences }) {
  forgetKey();
  resetKeyPanel();
  document.documentElement.dataset.state = state;
  document.title = `${title} · Twinproof`;
  byId('ending-title').textContent = title;
  byId('ending-body').replaceChildren(...sentences.map((textContent) => make('p', { textContent })));
  byId('open').hidden = true;
  byId('ending').hidden = false;
  goTo('ending-title');
  announce([title, ...sentences].join('. '));
}

function dropProposal() {
  session.proposal = null;
  session.signature = '';
  byId('signature').value = '';
  byId('review').hidden = true;
}

function dropSigner() {
  dropProposal();
  forgetKey();
  session.provider = null;
  byId('who').hidden = true;
}

function forgetKey() {
  session.key?.fill(0);
  session.key = null;
}

begin();
