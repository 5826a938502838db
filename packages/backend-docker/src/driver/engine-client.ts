import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { BackendError, type DockerEndpointDescriptor } from '@forgejo-runner/core';
import Docker from 'dockerode';

/** A client of one engine, and how its connections are closed. */
export interface EngineClient extends Disposable {
  /** Speaks one version of the API, such as `1.41`; without one, the latest of the engine. */
  readonly speaking: (version?: string) => Docker;
}

type Address = DockerEndpointDescriptor['address'];

/**
 * Makes clients for an address. Nothing is dialled yet.
 *
 * @throws BackendError `config` for an address that cannot be dialled.
 */
export function openEngineClient({ address, tls }: Pick<DockerEndpointDescriptor, 'address' | 'tls'>): EngineClient {
  const agent =
    tls === undefined ? new HttpAgent(localAgent(address)) : new HttpsAgent({ keepAlive: true, ...tlsOptions(tls) });
  const where = target(address);
  const protocol = tls === undefined ? 'http' : 'https';
  return {
    speaking: (version) =>
      withoutVariables(() => {
        const options = {
          ...nowhere,
          ...where,
          protocol,
          agent,
          ...(version === undefined ? {} : { version: `v${version}` }),
        };
        // Its types know neither an agent nor that undefined stands for "not from the environment".
        return new Docker(options as Docker.DockerOptions);
      }),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

/** Everything that the client would take from variables otherwise, of which a configured endpoint knows nothing. */
const nowhere = {
  host: undefined,
  port: undefined,
  socketPath: undefined,
  ca: undefined,
  cert: undefined,
  key: undefined,
};

/** A connection to a socket costs nothing, and one that is kept may be one to an engine that has ended meanwhile. */
function localAgent(address: Address): { readonly keepAlive: boolean } {
  return { keepAlive: address.startsWith('tcp://') };
}

function target(address: Address): { readonly socketPath: string } | { readonly host: string; readonly port: number } {
  const path = /^(?:unix|npipe):\/\/(.+)$/.exec(address)?.[1];
  if (path !== undefined) return { socketPath: path };
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url?.protocol !== 'tcp:' || url.hostname === '' || url.port === '') {
    throw new BackendError(
      'config',
      `expected unix:///path, tcp://host:port or npipe:////./pipe/name, found "${address.slice(0, 200)}"`,
      {
        resource: address,
        hint: 'correct the address of the engine',
      },
    );
  }
  return { host: url.hostname, port: Number(url.port) };
}

function tlsOptions(tls: NonNullable<DockerEndpointDescriptor['tls']>): object {
  const { ca, cert, key, serverName } = tls;
  return {
    ca: Buffer.from(ca),
    cert: Buffer.from(cert),
    key: Buffer.from(key),
    minVersion: 'TLSv1.2',
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

/** The client reads these variables whatever it is told, and throws for what it cannot read. */
const variables = [
  'DOCKER_HOST',
  'DOCKER_CERT_PATH',
  'DOCKER_TLS_VERIFY',
  'DOCKER_PATH_PREFIX',
  'DOCKER_CLIENT_TIMEOUT',
];

/** Nobody else runs meanwhile, so nobody sees them missing. */
function withoutVariables<T>(make: () => T): T {
  const kept = variables.flatMap((name) => {
    const value = process.env[name];
    delete process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  try {
    return make();
  } finally {
    for (const [name, value] of kept) process.env[name] = value;
  }
}
