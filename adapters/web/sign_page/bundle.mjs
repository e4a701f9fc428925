/**
 * Joins a source and all that it imports into one text, the same on every machine.
 *
 * Bytes, canonical JSON and hashes are the proof page's own modules; their packages are taken from
 * this folder, so that it makes no difference whether the proof page's are installed too.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const packages = ['@noble/ciphers', '@noble/curves', '@noble/hashes', '@scure/bip39'];

/** @param {string} entry path below this folder @returns {Promise<string>} minified */
export async function bundle(entry) {
  const { outputFiles } = await build({
    entryPoints: [entry],
    absWorkingDir: here,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'eof',
    alias: Object.fromEntries(packages.map((name) => [name, join(here, 'node_modules', name)])),
    write: false,
  });
  return outputFiles[0].text.trim();
}
