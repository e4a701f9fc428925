/** Wallets that live in the browser: EIP-1193, found by EIP-6963 or as `window.ethereum`. */
import { readAddress } from '../core/keys.js';
import { Refused } from '../core/refused.js';

const SENTENCES = {
  4001: 'You declined in the wallet. Nothing was signed; press the button to be asked again.',
  4100: 'The wallet has not given this page that account. Connect again and choose it.',
  4200: 'This wallet cannot sign such a statement. Use another wallet, or sign offline.',
  '-32002': 'The wallet is asking already: open it and answer there.',
  '-32601': 'This wallet cannot sign such a statement. Use another wallet, or sign offline.',
};

/**
 * Watch for wallets; they may announce themselves at any time.
 * @param {(wallets: {name: string, icon: string, provider: any}[]) => void} tell
 */
export function watchWallets(tell) {
  const announced = new Map();
  const all = () => (announced.size > 0 || !window.ethereum
    ? [...announced.values()]
    : [{ name: 'the wallet in this browser', icon: '', provider: window.ethereum }]);
  addEventListener('eip6963:announceProvider', ({ detail }) => {
    if (typeof detail?.provider?.request !== 'function') return;
    const { uuid, name, icon } = detail.info ?? {};
    const picture = String(icon ?? '').startsWith('data:image/') ? icon : '';
    announced.set(uuid, { name: String(name ?? 'a wallet').slice(0, 40), icon: picture, provider: detail.provider });
    tell(all());
  });
  addEventListener('ethereum#initialized', () => tell(all()), { once: true });
  dispatchEvent(new Event('eip6963:requestProvider'));
  tell(all());
}

/** @param {any} provider @returns {Promise<string>} the account that the person chose, EIP-55 */
export async function connect(provider) {
  const [account] = await request(provider, 'eth_requestAccounts') ?? [];
  if (!account) throw new Refused('The wallet gave no account. Unlock it and connect again.');
  return readAddress(account);
}

/** @param {any} provider @param {(account: string) => void} tell empty when none is left */
export function watchAccount(provider, tell) {
  const listener = ([account]) => tell(account ? readAddress(account) : '');
  provider.on?.('accountsChanged', listener);
  return () => provider.removeListener?.('accountsChanged', listener);
}

/** @param {any} provider @param {string} signer @param {object} typedData @returns {Promise<string>} */
export async function signInWallet(provider, signer, typedData) {
  return String(await request(provider, 'eth_signTypedData_v4', [signer, JSON.stringify(typedData)]));
}

async function request(provider, method, params = []) {
  try {
    return await provider.request({ method, params });
  } catch (error) {
    const said = String(error?.message ?? '').slice(0, 200);
    throw new Refused(SENTENCES[error?.code] ?? `The wallet says: ${said || 'no'}. Nothing was signed.`);
  }
}
