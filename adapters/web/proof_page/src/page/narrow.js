/**
 * Takes back what the file's policy has to allow for an RPC of the viewer's choosing. This module
 * is imported first, so that nothing has run, and nobody has read the link, before it.
 */

/** This same file in a hidden frame that asks an RPC; such a frame has never been given a link. */
export const isAsker = window.name === 'twinproof-rpc' && window.parent !== window;

/** From a server, at the address of a proof. */
export const onServer = location.protocol !== 'file:' && /\/r\/[A-Za-z0-9_-]{22}$/.test(location.pathname);

/**
 * Add a policy to this document's own; it holds from here on and can't be taken away.
 * @param {string} sources of connect-src
 */
export function allowOnly(sources) {
  const policy = document.createElement('meta');
  policy.httpEquiv = 'Content-Security-Policy';
  policy.content = `connect-src ${sources}`;
  document.head.append(policy);
}

if (!isAsker) allowOnly(location.protocol === 'file:' ? "'none'" : "'self'");
