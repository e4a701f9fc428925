#!/usr/bin/env node
/**
 * The proof page's verifier on the command line.
 *
 *   node verify_cli.mjs FILE.json[#k=KEY]…      one line of JSON for each bundle or disclosure
 *   node verify_cli.mjs --vectors FILE.json…    compares with what the vectors expect (one or a list in a file)
 *   node verify_cli.mjs --lines                 reads {"bundle","key","policy","receipt_id"} from standard input, one
 *                                               a line ("disclosure" may stand for "bundle"), and answers each with a line
 *
 * Exit status 0 when every bundle verifies, or every vector is met; of --lines when all was answered.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import { fromBase64Url } from './src/verify/bytes.js';
import { Malformed } from './src/verify/failure.js';
import { parseFragment } from './src/verify/link.js';
import { kindOf, verify, verifyDisclosure } from './src/verify/verify.js';

/** @param {any} asked a vector, or a line @returns {Promise<object>} what this verifier says, in the vector's terms */
async function judge({ bundle, disclosure, key = null, policy = null, receipt_id: receiptId = null }) {
  const evidence = { bundle: disclosure ?? bundle, key: key === null ? null : readKey(key), policy, receiptId };
  const { failure, levels, trust, opened } = await (disclosure === undefined ? verify : verifyDisclosure)(evidence);
  return failure ?? { levels, trust, opened };
}

/** @param {string} key @returns {Uint8Array} what is no key counts as a wrong one, so that step 5 fails */
function readKey(key) {
  try {
    return fromBase64Url(key);
  } catch (error) {
    if (error instanceof Malformed) return new Uint8Array(0);
    throw error;
  }
}

/** @returns {Promise<boolean>} */
async function answerLines() {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    if (line === '') continue;
    const { reason, ...answer } = await judgeSafely(JSON.parse(line));
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  return true;
}

/** @param {any} asked @returns {Promise<any>} a policy that is none is the asker's error, and fails no step */
async function judgeSafely(asked) {
  try {
    return await judge(asked);
  } catch (error) {
    if (error instanceof Malformed) return { error: error.reason };
    throw error;
  }
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
async function checkFile(argument) {
  const [path, fragment] = argument.split(/#(.*)/s);
  const bytes = readFileSync(path);
  const check = kindOf(bytes) === 'disclosure' ? verifyDisclosure : verify;
  const { kind, failure, levels, trust, unproved } = await check({ bundle: bytes, key: parseFragment(fragment ?? null) });
  const failed = failure && `step ${failure.step}: ${failure.reason}`;
  console.log(JSON.stringify({ file: path, kind, levels, trust, unproved, failed }));
  return failure === null;
}

const [first, ...rest] = process.argv.slice(2);
if (first === '--lines' && rest.length === 0) {
  await answerLines();
} else {
  const [check, files] = first === '--vectors' ? [checkVectors, rest] : [checkFile, first ? [first, ...rest] : []];
  if (files.length === 0) {
    console.error('usage: node verify_cli.mjs [--vectors] FILE… | --lines');
    process.exit(2);
  }
  let everything = true;
  for (const file of files) everything = (await check(file)) && everything;
  process.exit(everything ? 0 : 1);
}
