/** The key way: make a key, open a key file, or type a recovery phrase. Nothing of it is stored. */
import {
  addressOf, keyOfPhrase, makePhrase, readPhrase,
} from '../core/keys.js';
import { decryptKey, encryptKey } from '../core/keystore.js';
import { Refused } from '../core/refused.js';
import {
  announce, byId, download, make, onAction, showOnly,
} from './dom.js';

const STEPS = ['step-phrase', 'step-check', 'step-password', 'step-saved', 'step-open', 'step-words'];
const SHORTEST_PASSWORD = 10;
const FIELDS = ['word', 'password', 'password-again', 'unlock', 'words'];

/** What is being made: a phrase, the number of the word to ask for, the locked file. */
const making = { phrase: '', asked: 0, file: '', fileName: '' };

/** Let paint what was said before something heavy runs. */
const breathe = () => new Promise((resolve) => { setTimeout(resolve, 30); });

/** Forget all that was typed and made. */
export function resetKeyPanel() {
  Object.assign(making, { phrase: '', asked: 0, file: '' });
  for (const id of FIELDS) byId(id).value = '';
  byId('keyfile').value = '';
  byId('phrase').replaceChildren();
  showOnly(STEPS, null);
}

/**
 * @param {string} slug of the twin, for the file's name
 * @param {(key: Uint8Array) => void} use takes the key
 * @param {() => void} restart another way is begun: an earlier key is not to be used any more
 */
export function listenToKeyPanel(slug, use, restart) {
  making.fileName = `twinproof-key-${slug}.json`;
  const begin = (id, step, first) => onAction(id, 'key-error', () => {
    restart();
    resetKeyPanel();
    first?.();
    showOnly(STEPS, step);
    byId(step).querySelector('input, textarea, button').focus();
  });
  begin('key-new', 'step-phrase', makeNewPhrase);
  begin('key-open', 'step-open');
  begin('key-words', 'step-words');
  onAction('phrase-done', 'key-error', askForWord);
  onAction('phrase-again', 'check-error', () => {
    showPhrase();
    showOnly(STEPS, 'step-phrase');
  });
  onAction('step-check', 'check-error', checkWord);
  onAction('step-password', 'password-error', () => saveNewKey(use));
  onAction('save-again', 'key-error', () => download(making.file, making.fileName));
  onAction('step-open', 'open-error', () => openFile(use));
  onAction('step-words', 'words-error', async () => {
    const key = await keyOfPhrase(readPhrase(byId('words').value));
    byId('words').value = '';
    use(key);
  });
}

function makeNewPhrase() {
  making.phrase = makePhrase();
  showPhrase();
}

function showPhrase() {
  byId('phrase').replaceChildren(...making.phrase.split(' ').map((textContent) => make('li', { textContent })));
}

function askForWord() {
  byId('phrase').replaceChildren();
  [making.asked] = crypto.getRandomValues(new Uint32Array(1)).map((number) => number % 12);
  byId('word-label').textContent = `To be sure: which is word number ${making.asked + 1}?`;
  showOnly(STEPS, 'step-check');
  byId('word').focus();
}

function checkWord() {
  const word = byId('word').value.trim().toLowerCase();
  if (word !== making.phrase.split(' ')[making.asked]) {
    throw new Refused('That is not the word. Look at your paper, or show the words again.');
  }
  byId('word').value = '';
  showOnly(STEPS, 'step-password');
  byId('password').focus();
}

async function saveNewKey(use) {
  const password = byId('password').value;
  if ([...password].length < SHORTEST_PASSWORD) throw new Refused(`Take a password of at least ${SHORTEST_PASSWORD} characters.`);
  if (password !== byId('password-again').value) throw new Refused('The two passwords differ. Type both again.');
  announce('The key file is being locked. This takes some seconds.');
  await breathe();
  const key = await keyOfPhrase(making.phrase);
  making.file = await encryptKey(key, password);
  making.fileName = making.fileName.replace(/(?:-0x[0-9a-f]{8})?\.json$/, `-${addressOf(key).slice(0, 10).toLowerCase()}.json`);
  making.phrase = '';
  for (const id of ['password', 'password-again']) byId(id).value = '';
  download(making.file, making.fileName);
  byId('saved-name').textContent = making.fileName;
  showOnly(STEPS, 'step-saved');
  announce('The key file was saved.');
  use(key);
}

async function openFile(use) {
  const [file] = byId('keyfile').files;
  if (!file) throw new Refused('Choose your key file first.');
  if (file.size > 64 * 1024) throw new Refused('This is not a key file.');
  announce('The key file is being opened. This takes some seconds.');
  await breathe();
  const key = await decryptKey(await file.text(), byId('unlock').value);
  byId('unlock').value = '';
  announce('The key file is open.');
  use(key);
}
