import { access, readFile } from 'node:fs/promises';
import { BackendError, type DockerEndpointDescriptor } from '@forgejo-runner/core';
import type { EngineConfig } from './config.ts';

type Address = DockerEndpointDescriptor['address'];

/**
 * The engine that runs the containers of jobs, from what the configuration says of it.
 *
 * @throws BackendError `config` with every file that cannot be read.
 */
export async function readEngineEndpoint(config: EngineConfig): Promise<DockerEndpointDescriptor> {
  const { address, tls, shares_paths: sharesPaths } = typeof config === 'string' ? { address: config } : config;
  const host = hostOf(address);
  return {
    // The schema takes no other.
    address: address as Address,
    ...(tls === undefined ? {} : { tls: await readTls(tls) }),
    binds: (sharesPaths ?? isHere(host)) ? 'target-paths' : 'none',
    publishedHost: isHere(host) ? '127.0.0.1' : host,
    ...(address.startsWith('unix://') ? { socketInTarget: address.slice('unix://'.length) } : {}),
  };
}

/** Why an engine surely does not answer; nobody is asked over the network for that. */
export async function whyNoEngine({ address }: DockerEndpointDescriptor): Promise<string | undefined> {
  if (!address.startsWith('unix://')) return undefined;
  const socket = address.slice('unix://'.length);
  try {
    await access(socket);
    return undefined;
  } catch {
    return `there is no engine at "${socket}", so jobs with containers will fail`;
  }
}

type TlsFiles = NonNullable<Exclude<EngineConfig, string>['tls']>;

async function readTls(files: TlsFiles): Promise<NonNullable<DockerEndpointDescriptor['tls']>> {
  const issues: { message: string; path: PropertyKey[] }[] = [];
  const read = async (name: 'ca' | 'cert' | 'key'): Promise<Uint8Array> => {
    try {
      return await readFile(files[name]);
    } catch (error) {
      const found = error instanceof Error && 'code' in error ? String(error.code) : 'an error';
      issues.push({ message: `expected a readable file, found ${found}`, path: ['docker', 'tls', name] });
      return new Uint8Array();
    }
  };
  const [ca, cert, key] = [await read('ca'), await read('cert'), await read('key')];
  if (issues.length > 0) throw new BackendError('config', 'a file for TLS cannot be read', { issues });
  return { ca, cert, key, ...(files.server_name === undefined ? {} : { serverName: files.server_name }) };
}

/** Empty for a socket or a pipe. */
function hostOf(address: string): string {
  return address.startsWith('tcp://') ? new URL(address).hostname.replaceAll(/^\[|\]$/g, '') : '';
}

function isHere(host: string): boolean {
  return host === '' || host === 'localhost' || host === '::1' || host.startsWith('127.');
}
