import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackendError, type CallContext, type DockerEndpointDescriptor, isBackendError } from '@forgejo-runner/core';
import type { DockerConfig, TlsFiles } from './config.ts';
import { dockerConfigFolder, findDockerContext } from './docker-context.ts';
import { type DockerEndpoint, openDockerEndpoint } from './driver/endpoint.ts';
import { openSshForward, parseSshAddress } from './ssh-forward.ts';
import { type UsualSocket, usualSockets } from './usual-sockets.ts';

/** An engine that somebody named, and where it was named. */
interface NamedEngine {
  readonly address: string;
  /** For messages: `the key "endpoint"`, `DOCKER_HOST`. */
  readonly from: string;
  readonly tls?: TlsFiles;
}

const hint =
  'start Docker or Podman, give the user of the runner access to its socket, or set the key "endpoint" of the backend';

/**
 * Connects to the engine of a backend: the configured one, else that of `DOCKER_HOST`, else that of the current context
 * of Docker's own client, else the first that answers at one of the usual places. Who names an engine gets that one or
 * none. It stays the engine of the backend as long as that lives.
 *
 * @throws BackendError `config` for an address or a file that cannot be used, `unavailable` with all that was tried,
 * `unsupported` or `auth` as the engine says.
 */
export async function openConfiguredEndpoint(
  configured: DockerConfig['endpoint'],
  ctx: CallContext,
): Promise<DockerEndpoint> {
  const named = await namedEngine(configured);
  const endpoint = named === undefined ? await openUsual(ctx) : await openNamed(named, ctx);
  const { kind, version, apiVersion } = endpoint.facts;
  ctx.log.info(
    `the engine is ${kind} ${version} at ${named?.address ?? endpoint.descriptor.address}, API ${apiVersion}`,
  );
  return endpoint;
}

async function namedEngine(configured: DockerConfig['endpoint']): Promise<NamedEngine | undefined> {
  if (typeof configured === 'string') return { address: configured, from: 'the key "endpoint"' };
  if (configured !== undefined) {
    const { address, tls } = configured;
    return { address, from: 'the key "endpoint"', ...(tls === undefined ? {} : { tls }) };
  }
  const host = process.env['DOCKER_HOST'] ?? '';
  if (host !== '') {
    const folder =
      process.env['DOCKER_CERT_PATH'] || (process.env['DOCKER_TLS_VERIFY'] ? dockerConfigFolder() : undefined);
    // Its certificate is always checked: a variable that is not set is no reason to trust anybody.
    const tls = folder === undefined || !isTcp(host) ? {} : { tls: filesIn(folder) };
    return { address: withScheme(host), from: 'DOCKER_HOST', ...tls };
  }
  const context = await findDockerContext();
  if (context === undefined) return undefined;
  const tls = context.tlsFolder === undefined || !isTcp(context.host) ? {} : { tls: filesIn(context.tlsFolder) };
  return { address: withScheme(context.host), from: `the Docker context "${context.name}"`, ...tls };
}

/** `docker -H` takes an address without a scheme for TCP. */
function withScheme(address: string): string {
  return address.includes('://') ? address : `tcp://${address}`;
}

function isTcp(address: string): boolean {
  return withScheme(address).startsWith('tcp://');
}

function filesIn(folder: string): TlsFiles {
  return { ca: join(folder, 'ca.pem'), cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
}

async function openNamed(named: NamedEngine, ctx: CallContext): Promise<DockerEndpoint> {
  const { address, from } = named;
  try {
    if (address.startsWith('ssh://')) return await openBySsh(address, ctx);
    return await openDockerEndpoint(await describe(named), ctx);
  } catch (error) {
    if (!isBackendError(error) || error.code === 'cancelled') throw error;
    throw new BackendError(error.code, `no engine at ${address}, which ${from} names: ${error.message}`, {
      hint,
      ...error.details,
      cause: error,
    });
  }
}

async function describe({ address, from, tls }: NamedEngine): Promise<DockerEndpointDescriptor> {
  const isLocal = /^(?:unix|npipe):\/\/./.test(address);
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const isRemote = url?.protocol === 'tcp:' && url.hostname !== '' && url.pathname.length <= 1;
  if (!isLocal && !isRemote) {
    throw new BackendError(
      'config',
      `expected unix:///path, tcp://host:port, ssh://user@host or npipe:////./pipe/name, found "${address.slice(0, 200)}"`,
      {
        resource: from,
        hint: `correct ${from}`,
      },
    );
  }
  if (isLocal && tls !== undefined) {
    throw new BackendError('config', `expected "tls" for a tcp:// address only, found it for ${address}`, {
      resource: from,
      hint: 'leave "tls" out',
    });
  }
  const port = url?.port || (tls === undefined ? '2375' : '2376');
  return {
    // As the checks above found it to be.
    address: (isLocal ? address : `tcp://${url?.hostname ?? ''}:${port}`) as DockerEndpointDescriptor['address'],
    ...(tls === undefined ? {} : { tls: await readTls(tls) }),
    binds: 'target-paths',
    publishedHost: isLocal ? '127.0.0.1' : (url?.hostname ?? ''),
    ...(address.startsWith('unix://') ? { socketInTarget: address.slice('unix://'.length) } : {}),
  };
}

async function readTls(files: TlsFiles): Promise<NonNullable<DockerEndpointDescriptor['tls']>> {
  const issues: { readonly message: string; readonly path: readonly PropertyKey[] }[] = [];
  const read = async (name: 'ca' | 'cert' | 'key'): Promise<Uint8Array> => {
    try {
      return await readFile(files[name]);
    } catch (error) {
      const found = error instanceof Error && 'code' in error ? String(error.code) : 'an error';
      issues.push({
        message: `expected a readable file "${files[name]}", found ${found}`,
        path: ['endpoint', 'tls', name],
      });
      return new Uint8Array();
    }
  };
  const [ca, cert, key] = [await read('ca'), await read('cert'), await read('key')];
  if (issues.length > 0) {
    throw new BackendError(
      'config',
      `files for TLS cannot be read: ${issues.map(({ message }) => message).join('; ')}`,
      { issues },
    );
  }
  return { ca, cert, key, ...(files.server_name === undefined ? {} : { serverName: files.server_name }) };
}

async function openBySsh(address: string, ctx: CallContext): Promise<DockerEndpoint> {
  const parsed = parseSshAddress(address);
  const forward = await openSshForward(parsed, ctx);
  const descriptor: DockerEndpointDescriptor = {
    address: `unix://${forward.socket}`,
    binds: 'target-paths',
    publishedHost: parsed.host,
    socketInTarget: forward.remoteSocket,
  };
  try {
    const endpoint = await openDockerEndpoint(descriptor, ctx);
    return {
      ...endpoint,
      [Symbol.asyncDispose]: async () => {
        await endpoint[Symbol.asyncDispose]();
        await forward[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    const words = forward.lastWords();
    await forward[Symbol.asyncDispose]();
    if (!isBackendError(error) || error.code === 'cancelled') throw error;
    const said = words === '' ? '' : `; ssh says "${words.slice(-300)}"`;
    throw new BackendError(
      error.code,
      `${forward.remoteSocket} of ${parsed.host} does not answer: ${error.message}${said}`,
      {
        resource: parsed.host,
        cause: error,
        hint: `look whether the engine runs there, and whether the user may use ${forward.remoteSocket}`,
      },
    );
  }
}

/** What is not there is not dialled; what is there and does not answer is told of. */
async function openUsual(ctx: CallContext): Promise<DockerEndpoint> {
  const tried: string[] = [];
  for (const place of usualSockets()) {
    const path = place.address.replace(/^(?:unix|npipe):\/\//, '');
    try {
      await access(path);
      return await openDockerEndpoint(descriptorOf(place, path), ctx);
    } catch (error) {
      if (isBackendError(error) && error.code === 'cancelled') throw error;
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      const why = isMissing ? 'there is no socket' : error instanceof Error ? error.message : String(error);
      tried.push(`  ${place.address} (${place.engine}): ${why}`);
      if (!isMissing) ctx.log.warn(`${place.engine} at ${place.address} cannot be used: ${why}`);
    }
  }
  throw new BackendError(
    'unavailable',
    [
      'expected a container engine, found none; neither DOCKER_HOST nor a Docker context names one, and nobody answers at',
      ...tried,
    ].join('\n'),
    { hint },
  );
}

function descriptorOf({ address, inTarget }: UsualSocket, path: string): DockerEndpointDescriptor {
  return { address, binds: 'target-paths', publishedHost: '127.0.0.1', socketInTarget: inTarget ?? path };
}
