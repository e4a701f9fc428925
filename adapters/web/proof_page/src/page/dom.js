/** The little that the page needs of the DOM; whatever is not ours is set as text. */

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
