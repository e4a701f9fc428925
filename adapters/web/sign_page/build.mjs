/**
 * Builds the signing page: one HTML file with script, style and policy inside.
 *
 *   node build.mjs [FOLDER]    writes sign.html and sign.html.sha256, by default to ../pages
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const folder = resolve(process.argv[2] ?? join(here, '..', 'pages'));
const digest = (text, form) => createHash('sha256').update(text).digest(form);
const inline = async (entry) => (
  (await bundle(join('src', 'page', entry))).replaceAll('</script', '<\\/script').replaceAll('</style', '<\\/style')
);

const script = await inline('main.js');
const style = await inline('style.css');
const policy = [
  "default-src 'none'",
  `script-src 'sha256-${digest(script, 'base64')}'`,
  `style-src 'sha256-${digest(style, 'base64')}'`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');
const parts = { POLICY: policy, STYLE: style, SCRIPT: script };
const source = readFileSync(join(here, 'src', 'page', 'index.html'), 'utf8');
const page = source.replace(/%(POLICY|STYLE|SCRIPT)%/g, (_, name) => parts[name]);
const hash = digest(page, 'hex');
writeFileSync(join(folder, 'sign.html'), page);
writeFileSync(join(folder, 'sign.html.sha256'), `${hash}  sign.html\n`);
console.log(`${hash}  ${Buffer.byteLength(page)} bytes`);
