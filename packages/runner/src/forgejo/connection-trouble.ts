/** What the network below a question says, in words, with a next step. */
export interface ConnectionTrouble {
  readonly message: string;
  readonly next: string;
}

const untrusted =
  'name the certificate of its authority in ca_file of the connection, or in NODE_EXTRA_CA_CERTS of the runner';

const troubles: Readonly<Record<string, readonly [found: string, next: string]>> = {
  ECONNREFUSED: ['nothing that listens there', 'look whether the instance runs; the runner tries again by itself'],
  ENOTFOUND: ['no address for this name', 'check the URL of the connection and the name server of this machine'],
  EAI_AGAIN: ['no answer of the name server', 'check the name server of this machine'],
  EHOSTUNREACH: ['no way to this machine', 'check network and routes'],
  ENETUNREACH: ['no way to this network', 'check network and routes'],
  ETIMEDOUT: ['no answer', 'check network and firewalls between runner and instance'],
  ECONNRESET: ['a connection that was cut', 'look into the logs of the instance and of proxies before it'],
  EPIPE: ['a connection that was cut', 'look into the logs of the instance and of proxies before it'],
  ENOENT: ['no socket at this path', 'check the path of the socket; the instance makes it when it starts'],
  EACCES: ['a socket that this user may not use', 'give the user of the runner access to the socket'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['a certificate that nobody but itself vouches for', untrusted],
  SELF_SIGNED_CERT_IN_CHAIN: ['a certificate of an authority that is not known here', untrusted],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['a certificate of an authority that is not known here', untrusted],
  UNABLE_TO_GET_ISSUER_CERT: ['a certificate of an authority that is not known here', untrusted],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['a certificate of an authority that is not known here', untrusted],
  CERT_HAS_EXPIRED: ['a certificate that has expired', 'renew it on the instance; check the clock of this machine too'],
  CERT_NOT_YET_VALID: ['a certificate that is not valid yet', 'check the clocks of instance and runner'],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'a certificate for another name',
    'write the URL of the connection with a name that stands in the certificate',
  ],
  EPROTO: ['no TLS', 'write http:// instead of https:// where the instance has no certificate'],
  HPE_INVALID_CONSTANT: ['no HTTP', 'check scheme and port of the URL of the connection'],
  ERR_PROXY_TUNNEL: ['a proxy that does not let us through', 'check HTTPS_PROXY and NO_PROXY of the runner'],
};

/** What kept a question from its server; undefined where an answer came. */
export function connectionTrouble(error: unknown, url: string): ConnectionTrouble | undefined {
  for (const code of codesOf(error)) {
    const known = troubles[code] ?? (code.startsWith('HPE_') ? troubles['HPE_INVALID_CONSTANT'] : undefined);
    if (known === undefined) continue;
    const [found, next] = known;
    return { message: `expected the instance at ${url}, found ${found} (${code})`, next };
  }
  return undefined;
}

/** The codes of an error, of its causes, and of errors that it gathers; the deepest, which are the nearest, first. */
function codesOf(error: unknown, depth = 0): readonly string[] {
  if (!(error instanceof Error) || depth > 8) return [];
  const inner = error instanceof AggregateError ? error.errors : [];
  const below = [error.cause, ...inner].flatMap((one) => codesOf(one, depth + 1));
  const own = 'code' in error && typeof error.code === 'string' ? [error.code] : [];
  return [...below, ...own];
}
