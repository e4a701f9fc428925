#!/usr/bin/env node
/**
 * The proof page's verifier on the command line.
 *
 *   node verify_cli.mjs BUNDLE.json[#k=KEY]…    one line of JSON per bundle
 *   node verify_cli.mjs --vectors FILE.json…    compares with what the vectors expect (one or a list in a file)
 *
 * Exit status 0 when every bundle verifies, or every vector is met.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { fromBase64Url } from './src/verify/bytes.js';
import { parseFragment } from './src/verify/link.js';
import { verify } from './src/verify/verify.js';

/** @param {any} vector @returns {Promise<object>} what this verifier says, in the vector's terms */
async function judge(vector) {
  const key = vector.key === null ? null : fromBase64Url(vector.key);
  const { failure, levels, trust, found } = await verify({ bundle: vector.bundle, key, policy: vector.policy });
  if (failure) return { step: failure.step, reason: failure.reason };
  return { levels, trust, opened: found.openings !== undefined };
}

/** @param {string} file @returns {Promise<boolean>} */
async function checkVectors(file) {
  const content = JSON.parse(readFileSync(file, 'utf8'));
  let met = true;
  for (const vector of [content].flat()) {
    const got = await judge(vector);
    const expected = Object.entries(vector.expect);
    const same = expected.every(([name, value]) => isDeepStrictEqual(got[name], value));
    met &&= same;
    console.log(JSON.stringify({ file: basename(file), name: vector.name, met: same, expect: vector.expect, got }));
  }
  return met;
}

/** @param {string} argument @returns {Promise<boolean>} */
async function checkBundle(argument) {
  const [path, fragment] = argument.split(/#(.*)/s);
  const { failure, levels, trust } = await verify({ bundle: readFileSync(path), key: parseFragment(fragment ?? null) });
  console.log(JSON.stringify({ file: path, levels, trust, failed: failure?.message ?? null }));
  return failure === null;
}

const [first, ...rest] = process.argv.slice(2);
const [check, files] = first === '--vectors' ? [checkVectors, rest] : [checkBundle, first ? [first, ...rest] : []];
if (files.length === 0) {
  console.error('usage: node verify_cli.mjs [--vectors] FILE…');
  process.exit(2);
}
let everything = true;
for (const file of files) everything = (await check(file)) && everything;
process.exit(everything ? 0 : 1);
