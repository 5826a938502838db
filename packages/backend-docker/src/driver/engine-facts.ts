import { BackendError } from '@forgejo-runner/core';
import type Docker from 'dockerode';

/** What an engine said of itself, asked once. */
export interface EngineFacts {
  readonly kind: 'docker' | 'podman';
  readonly version: string;
  /** Highest API version that both sides speak, such as `1.41`. */
  readonly apiVersion: string;
  /** As images spell it: `linux`, `windows`. */
  readonly os: string;
  /** As images spell it: `amd64`, `arm64`. */
  readonly arch: string;
  readonly isRootless: boolean;
  readonly cgroupVersion: '1' | '2';
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** Older ones cannot be asked for the platform of a container. */
const oldestApi = '1.41';
/** The latest one whose answers we know; engines go on answering it for years. */
const latestApi = '1.51';

/**
 * Asks an engine what it is.
 *
 * @throws BackendError `unsupported` for an API that is too old or too new; what the client throws otherwise.
 */
export async function askEngineFacts(client: Docker, address: string): Promise<EngineFacts> {
  // All of it is unknown until it was looked at: anything may answer at an address.
  const version = asRecord(await client.version());
  const apiVersion = commonVersion(text(version['ApiVersion']), text(version['MinAPIVersion']), address);
  const info = asRecord(await client.info());
  const components = Array.isArray(version['Components']) ? version['Components'] : [];
  const isPodman = components.some((component) => /podman/i.test(text(asRecord(component)['Name'])));
  const security = Array.isArray(info['SecurityOptions']) ? info['SecurityOptions'].map(text) : [];
  return {
    kind: isPodman ? 'podman' : 'docker',
    version: text(version['Version']),
    apiVersion,
    os: text(version['Os']) || text(info['OSType']) || 'linux',
    arch: architectureName(text(version['Arch']) || text(info['Architecture'])),
    isRootless: security.some((option) => option.split(',').includes('name=rootless')),
    cgroupVersion: text(info['CgroupVersion']) === '2' ? '2' : '1',
    cpus: amount(info['NCPU']),
    memoryBytes: amount(info['MemTotal']),
  };
}

/** The latest version that both sides speak. @throws BackendError `unsupported`. */
export function commonVersion(theirs: string, theirOldest: string, address: string): string {
  if (!isVersion(theirs)) {
    throw new BackendError('unsupported', `expected a Docker-compatible engine at ${address}, found something else`, {
      resource: address,
      hint: 'correct the address of the engine',
    });
  }
  const isTooOld = isOlder(theirs, oldestApi);
  const isTooNew = isVersion(theirOldest) && isOlder(latestApi, theirOldest);
  if (isTooOld || isTooNew) {
    throw new BackendError(
      'unsupported',
      `expected API version ${oldestApi} to ${latestApi} of the engine at ${address}, found ${isTooOld ? theirs : `${theirOldest} and later`}`,
      { resource: address, hint: isTooOld ? 'update the engine' : 'update the runner' },
    );
  }
  return isOlder(theirs, latestApi) ? theirs : latestApi;
}

/** Whether a version of the API comes before another one. */
export function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [thanMajor = 0, thanMinor = 0] = than.split('.').map(Number);
  return major === thanMajor ? minor < thanMinor : major < thanMajor;
}

/** The word of images for an architecture, which kernels spell otherwise. */
export function architectureName(name: string): string {
  const names: Readonly<Record<string, string>> = {
    x86_64: 'amd64',
    aarch64: 'arm64',
    i386: '386',
    i686: '386',
    armv7l: 'arm',
  };
  return names[name] ?? name;
}

function isVersion(version: string): boolean {
  return /^\d{1,4}\.\d{1,4}$/.test(version);
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  // Whatever has no such keys says nothing.
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function amount(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;
}
