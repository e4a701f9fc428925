/** The little that the page needs of the DOM; whatever is not ours is set as text. */

const SVG = 'http://www.w3.org/2000/svg';

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

/** @param {string} tag @param {Record<string, string>} attributes @param {...Node} children @returns {SVGElement} */
export function draw(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Say something to people who listen to the page. @param {string} sentence */
export function tell(sentence) {
  byId('status').textContent = sentence;
}

/** Show or hide a message under a field. @param {string} id @param {string} [sentence] */
export function showError(id, sentence = '') {
  byId(id).textContent = sentence;
  byId(id).hidden = sentence === '';
}

/** @param {string} id of a text @param {HTMLElement} button that says how it went */
export async function copyText(id, button) {
  try {
    await navigator.clipboard.writeText(byId(id).textContent);
    button.textContent = 'Copied';
  } catch {
    getSelection().selectAllChildren(byId(id));
    button.textContent = 'Selected: copy it with your keyboard';
  }
  tell(button.textContent);
}
