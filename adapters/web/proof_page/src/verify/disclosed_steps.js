/** Disclosures: chosen fields of a reply, shown without its key (formats.md section 9.3). */
import { fromBase64, fromHex } from './bytes.js';
import { parseFile } from './bundle.js';
import { Malformed, must } from './failure.js';
import { FIELD_NAMES, fieldLeaf, isFieldValue, isSalt, requirePersona } from './fields.js';
import { isIncluded } from './merkle.js';
import { hashPath, list, object, oneOf, record } from './shape.js';
import { checkPersona, takeBundle } from './steps.js';

/** @typedef {{persona: any, fields: {name: string, salt: string, value: any, path: string[]}[]}} Disclosure */

const anything = () => true;
const isFields = list(object({ name: oneOf(...FIELD_NAMES), salt: isSalt, value: anything, path: anything }, 'disclosed field'));
const DISCLOSURE = {
  v: oneOf('twinproof-disclosure/1'),
  bundle: (value) => value !== null && typeof value === 'object' && value.sealed === null,
  persona: anything,
  fields: (value) => isFields(value) && ascends(value.map(({ name }) => FIELD_NAMES.indexOf(name))),
};
const ascends = (places) => places.every((place, i) => i === 0 || places[i - 1] < place);

/** Step 1 of a disclosure. @param {import('./steps.js').Case} found */
export function checkDisclosure(found) {
  const value = parseFile(found.file);
  record(value, DISCLOSURE, 'disclosure');
  if (value.persona === null && value.fields.length === 0) throw new Malformed('the disclosure discloses nothing');
  takeBundle(found, value.bundle);
  found.disclosure = value;
}

/** What stands for step 5. @param {import('./steps.js').Case} found */
export function checkDisclosed({ disclosure: { persona, fields }, receipt, manifest, key }) {
  must(5, key === null, 'the file shows chosen fields only: it holds nothing that a key can open');
  const root = fromHex(receipt.fields.root);
  for (const { name, salt, value, path } of fields) {
    must(5, isFieldValue(name, value), `the field "${name}" is not what the format says`);
    must(5, hashPath(path), `the field "${name}" has a path that is none`);
    const leaf = fieldLeaf(name, fromBase64(salt), value);
    const isIn = isIncluded(leaf, FIELD_NAMES.indexOf(name), FIELD_NAMES.length, path.map(fromBase64), root);
    must(5, isIn, `the field "${name}" is not the one that was signed`);
  }
  if (persona === null) return;
  requirePersona(persona);
  checkPersona(persona, manifest);
}
