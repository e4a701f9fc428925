/**
 * Builds the proof page: one HTML file with script, style and policy inside.
 *
 *   node build.mjs [FOLDER]    writes proof.html and proof.html.sha256, by default to ../pages
 *
 * The same sources and lock file give the same bytes on every machine.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const folder = resolve(process.argv[2] ?? join(here, '..', 'pages'));
const source = (name) => readFileSync(join(here, 'src', 'page', name), 'utf8');
const digest = (text, form) => createHash('sha256').update(text).digest(form);

/** @param {string} entry @returns {Promise<string>} the bundled, minified text */
async function bundle(entry) {
  const { outputFiles } = await build({
    entryPoints: [join('src', 'page', entry)],
    absWorkingDir: here,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'eof',
    write: false,
  });
  return outputFiles[0].text.trim().replaceAll('</script', '<\\/script').replaceAll('</style', '<\\/style');
}

const script = await bundle('main.js');
const style = await bundle('style.css');
const policy = [
  "default-src 'none'",
  `script-src 'sha256-${digest(script, 'base64')}'`,
  `style-src 'sha256-${digest(style, 'base64')}'`,
  // The page narrows this itself before anything else: see the comment in index.html.
  "connect-src 'self' https: http:",
  "frame-src 'self' file:",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');
const parts = { POLICY: policy, STYLE: style, SCRIPT: script };
const page = source('index.html').replace(/%(POLICY|STYLE|SCRIPT)%/g, (_, name) => parts[name]);
const hash = digest(page, 'hex');
writeFileSync(join(folder, 'proof.html'), page);
writeFileSync(join(folder, 'proof.html.sha256'), `${hash}  proof.html\n`);
console.log(`${hash}  ${Buffer.byteLength(page)} bytes`);
