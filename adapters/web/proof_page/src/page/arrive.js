/** Fetches the proof from this page's own host, and waits for one that is not in the log yet. */
import { byId } from './dom.js';
import { showNothing } from './view.js';

/** Between looks at a pending proof; then the person looks again. */
const WAITS_MS = [1000, 2000, 3000, 5000, 8000, 13000, 21000];
const KEPT = 'If you kept the proof as a file, choose it below.';
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/**
 * @param {() => void} onNothing called when there is nothing to check (yet)
 * @returns {Promise<Uint8Array|null>} null where there is nothing, which is shown
 */
export async function fetchProof(onNothing) {
  showNothing('waiting', 'Checking…');
  try {
    for (const wait of [...WAITS_MS, null]) {
      const response = await fetch(`${location.pathname}.json`, { cache: 'no-cache' });
      if (response.status !== 202) return await read(response, onNothing);
      showNothing(
        'pending',
        'Not in the log yet',
        'The reply is signed. The log takes new replies in groups, and the next group will hold this one: usually within seconds. There is nothing to check before that.',
        wait === null ? 'It takes longer than usual. Look again later.' : 'This page looks again by itself.',
      );
      onNothing();
      if (wait === null) break;
      await pause(wait);
    }
    byId('again-row').hidden = false;
  } catch {
    showNothing('unavailable', 'The host does not answer', 'That says nothing about the reply.', KEPT);
    onNothing();
  }
  return null;
}

async function read(response, onNothing) {
  if (response.ok) return new Uint8Array(await response.arrayBuffer());
  showNothing('unavailable', 'There is nothing to check', 'This host has no proof for this link: it was erased, or the link is wrong.', KEPT);
  onNothing();
  return null;
}
