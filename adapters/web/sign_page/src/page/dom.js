/** The little that the page needs of the DOM; whatever is not ours is set as text. */
import { Refused } from '../core/refused.js';

/** @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/**
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node|string)} children
 * @returns {HTMLElement}
 */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Show or hide a message under a field. @param {string} id @param {string} [sentence] */
export function showError(id, sentence = '') {
  byId(id).textContent = sentence;
  byId(id).hidden = sentence === '';
}

/** Show exactly one of several elements; null for none. @param {string[]} ids @param {string|null} shown */
export function showOnly(ids, shown) {
  for (const id of ids) byId(id).hidden = id !== shown;
}

/** Say something to people who listen to the page. @param {string} sentence */
export function announce(sentence) {
  byId('status').textContent = sentence;
}

/** Bring a part into view, for eyes and for keyboards. @param {string} id of its heading */
export function goTo(id) {
  byId(id).focus({ preventScroll: true });
  byId(id).scrollIntoView({ block: 'start', behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' });
}

/** Fill a list of terms. @param {string} id @param {[string, string][]} rows */
export function showRows(id, rows) {
  byId(id).replaceChildren(...rows.flatMap(([term, textContent]) => [
    make('dt', { textContent: term }),
    make('dd', { textContent, className: /^0x[0-9a-fA-F]{40,}$/.test(textContent) ? 'hex' : '' }),
  ]));
}

/**
 * Run an action of a button or form: once at a time, with what goes wrong shown beside it.
 * @param {string} id of the button or form
 * @param {string} errorId
 * @param {() => Promise<void>|void} action
 */
export function onAction(id, errorId, action) {
  const element = byId(id);
  const button = element.tagName === 'FORM' ? element.querySelector('[type=submit]') : element;
  element.addEventListener(element.tagName === 'FORM' ? 'submit' : 'click', async (event) => {
    event.preventDefault();
    if (button.getAttribute('aria-busy') === 'true') return;
    button.setAttribute('aria-busy', 'true');
    showError(errorId);
    try {
      await action();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      showError(errorId, error.message);
    } finally {
      button.removeAttribute('aria-busy');
    }
  });
}

/** @param {string} text @param {string} name of the file */
export function download(text, name) {
  const address = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  Object.assign(document.createElement('a'), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
