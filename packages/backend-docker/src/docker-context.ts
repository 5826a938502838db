import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { BackendError } from '@forgejo-runner/core';

/** What Docker's own client knows as a context: an engine, and how to reach it. */
export interface DockerContext {
  readonly name: string;
  readonly host: string;
  /** Folder with ca.pem, cert.pem and key.pem, where the context has them. */
  readonly tlsFolder?: string;
}

/** Where Docker's own client has its configuration. */
export function dockerConfigFolder(): string {
  return process.env['DOCKER_CONFIG'] || join(homedir(), '.docker');
}

/**
 * The context that Docker's own client would use: `DOCKER_CONTEXT`, or the one that `docker context use` chose.
 * Undefined for the default one, which is no context at all.
 *
 * @throws BackendError `config` when it is not there.
 */
export async function findDockerContext(): Promise<DockerContext | undefined> {
  const folder = dockerConfigFolder();
  const name = process.env['DOCKER_CONTEXT'] || (await currentContext(folder));
  if (name === undefined || name === '' || name === 'default') return undefined;
  // Source: Docker's client, package cli/context/store: folders are named by the hash of the name.
  const hash = createHash('sha256').update(name).digest('hex');
  const file = join(folder, 'contexts', 'meta', hash, 'meta.json');
  const host = hostIn(await readJson(file));
  if (host === undefined) {
    throw new BackendError('config', `expected the Docker context "${name}" in ${file}, found none with an engine`, {
      resource: name,
      hint: 'choose another one with "docker context use", or set the key "endpoint" of the backend',
    });
  }
  const tlsFolder = join(folder, 'contexts', 'tls', hash, 'docker');
  const hasTls = await readFile(join(tlsFolder, 'ca.pem')).then(
    () => true,
    () => false,
  );
  return { name, host, ...(hasTls ? { tlsFolder } : {}) };
}

async function currentContext(folder: string): Promise<string | undefined> {
  const name = field(await readJson(join(folder, 'config.json')), 'currentContext');
  return typeof name === 'string' ? name : undefined;
}

function hostIn(meta: unknown): string | undefined {
  const host = field(field(field(meta, 'Endpoints'), 'docker'), 'Host');
  return typeof host === 'string' && host !== '' ? host : undefined;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value
    ? (value as Record<string, unknown>)[name]
    : undefined; // looked just before
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown;
  } catch {
    return undefined; // who looks for something in it says that it is not there
  }
}
