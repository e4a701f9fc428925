#!/usr/bin/env node
/**
 * The page's own checks on the command line, for comparison with another implementation.
 *
 *   node check_cli.mjs FILE.json    a list of {body, name, persona_text, persona}
 *
 * Prints a line of JSON for each: typed data and digest of the statement in `body`, and whether
 * the text is that of the persona whose hash is given.
 */
import { readFileSync } from 'node:fs';
import { bundle } from './bundle.mjs';

const load = async (name) => {
  const code = await bundle(`src/core/${name}.js`);
  return import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);
};
const { isPersonaText } = await load('persona');
const { readStatement } = await load('statements');

for (const { body, name, persona_text: text, persona } of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  const { typedData, digest } = readStatement(body, name);
  console.log(JSON.stringify({
    typed_data: typedData,
    digest: `0x${Buffer.from(digest).toString('hex')}`,
    same: isPersonaText(text, name, persona),
  }));
}
