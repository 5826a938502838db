import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallContext, RegistryCredentials } from '@forgejo-runner/core';
import type Docker from 'dockerode';
import { dockerConfigFolder } from '../docker-context.ts';
import { askCredentialHelper } from './credential-helper.ts';
import { defaultRegistry, registryName } from './image-reference.ts';

/** What an engine shows to a registry. */
export interface RegistryLogin {
  readonly auth: Docker.AuthConfig;
  /** Whose it is: what the workflow gave for one image, or what the administrator keeps for the registry. */
  readonly source: 'workflow' | 'administrator';
}

/** What the engine is told as the address of the default registry. */
const defaultServer = 'https://index.docker.io/v1/';

/**
 * Finds the credentials for one registry: those that the workflow gave with the image, else those of the Docker
 * configuration of the user that the runner runs as. It is read each time, so that a new login is used at once.
 * Nothing that belongs to one registry is ever shown to another one.
 */
export async function findRegistryLogin(
  registry: string,
  credentials: RegistryCredentials | undefined,
  ctx: Pick<CallContext, 'signal' | 'log'>,
): Promise<RegistryLogin | undefined> {
  if (credentials !== undefined && isFor(credentials.server, registry)) {
    const { username, password } = credentials;
    return { auth: { username, password, serveraddress: serverOf(registry) }, source: 'workflow' };
  }
  const auth = await configuredLogin(registry, ctx);
  return auth === undefined ? undefined : { auth, source: 'administrator' };
}

/** Credentials without a server are for the registry of the image that they stand with. */
function isFor(server: string | undefined, registry: string): boolean {
  return server === undefined || hostOf(server) === registry;
}

/** What of the configuration of Docker's own client is about logins. */
interface DockerConfigFile {
  readonly auths: Readonly<Record<string, unknown>>;
  readonly credHelpers: Readonly<Record<string, unknown>>;
  readonly credsStore: unknown;
}

async function configuredLogin(
  registry: string,
  ctx: Pick<CallContext, 'signal' | 'log'>,
): Promise<Docker.AuthConfig | undefined> {
  const file = join(dockerConfigFolder(), 'config.json');
  const config = await readConfig(file, ctx);
  if (config === undefined) return undefined;
  const helper = entryFor(config.credHelpers, registry) ?? config.credsStore;
  if (typeof helper === 'string' && helper !== '') {
    try {
      const found = await askCredentialHelper(helper, serverOf(registry), ctx.signal);
      if (found !== undefined) return helperAuth(found, registry);
    } catch (error) {
      // A public image can be pulled all the same, and the registry says so if this one cannot.
      ctx.log.warn(`no credentials for ${registry}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return fileAuth(entryFor(config.auths, registry), registry);
}

async function readConfig(file: string, { log }: Pick<CallContext, 'log'>): Promise<DockerConfigFile | undefined> {
  try {
    const config: unknown = JSON.parse(await readFile(file, 'utf8'));
    const { auths, credHelpers, credsStore } = asRecord(config);
    return { auths: asRecord(auths), credHelpers: asRecord(credHelpers), credsStore };
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    // Its content is full of secrets, which messages of the parser quote.
    if (!isMissing)
      log.warn(`cannot read the logins in ${file}: ${error instanceof SyntaxError ? 'it is not JSON' : String(error)}`);
    return undefined;
  }
}

/** Keys are addresses as somebody once typed them. */
function entryFor(entries: Readonly<Record<string, unknown>>, registry: string): unknown {
  const key = Object.keys(entries).find((name) => hostOf(name) === registry);
  return key === undefined ? undefined : entries[key];
}

function hostOf(address: string): string {
  return registryName(address.replace(/^https?:\/\//i, '').replace(/\/.*$/s, ''));
}

/** What the engine calls a registry. */
export function serverOf(registry: string): string {
  return registry === defaultRegistry ? defaultServer : registry;
}

function helperAuth(
  { username, secret }: { readonly username: string; readonly secret: string },
  registry: string,
): Docker.AuthConfig {
  const serveraddress = serverOf(registry);
  // So a helper says that its secret is a token and not a password. Source: docker login, credential store.
  return username === '<token>' ? tokenAuth(secret, serveraddress) : { username, password: secret, serveraddress };
}

function tokenAuth(identitytoken: string, serveraddress: string): Docker.AuthConfig {
  // Its type knows no tokens; the engine does.
  return { identitytoken, serveraddress };
}

function fileAuth(entry: unknown, registry: string): Docker.AuthConfig | undefined {
  const { auth, username, password, identitytoken, registrytoken } = asRecord(entry);
  const serveraddress = serverOf(registry);
  if (typeof identitytoken === 'string' && identitytoken !== '') return tokenAuth(identitytoken, serveraddress);
  if (typeof registrytoken === 'string' && registrytoken !== '') {
    return { registrytoken, serveraddress }; // as above
  }
  if (typeof auth === 'string' && auth !== '') {
    const decoded = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
    const at = decoded.indexOf(':');
    return at < 1 ? undefined : { username: decoded.slice(0, at), password: decoded.slice(at + 1), serveraddress };
  }
  if (typeof username !== 'string' || typeof password !== 'string' || username === '') return undefined;
  return { username, password, serveraddress };
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  // Whatever has no such keys holds no logins.
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
