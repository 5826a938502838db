import type { BackendId } from './backend.ts';
import type { DockerDriver } from './docker-driver.ts';
import { BackendError } from './errors.ts';
import type { BackendFactory } from './factory.ts';

/** Which package a factory came with. */
export interface Origin {
  readonly package: string;
  readonly version: string;
}

/** A factory and where it came from, as far as that is known. */
export interface Registration {
  readonly factory: BackendFactory;
  readonly package?: string;
  readonly version?: string;
}

/** The factories of a process. */
export interface FactoryRegistry {
  /**
   * Adds a factory. Adding the same object again does nothing.
   *
   * @throws BackendError `config` when another factory has this id; the message names both packages.
   */
  readonly register: (factory: BackendFactory, origin?: Origin) => void;
  readonly get: (id: BackendId) => Registration | undefined;
  /** In the order of registration. */
  readonly list: () => readonly Registration[];
}

/** A Docker driver and where it came from, as far as that is known. */
export interface DockerDriverRegistration {
  readonly driver: DockerDriver;
  readonly package?: string;
  readonly version?: string;
}

/** The Docker driver of a process: none, or one. */
export interface DockerDriverRegistry {
  /**
   * Sets the driver. Setting the same object again does nothing.
   *
   * @throws BackendError `config` when another one is there; the message names both packages.
   */
  readonly register: (driver: DockerDriver, origin?: Origin) => void;
  readonly get: () => DockerDriverRegistration | undefined;
}

interface ProcessWide {
  readonly registrations: Map<BackendId, Registration>;
  /** Absent where a copy of 1.0 made the object. */
  docker?: DockerDriverRegistration;
  importing: Origin | undefined;
}

// On `globalThis`, made by whichever copy of this package loads first: a backend that brings its own copy still
// registers where the runner looks. The major is in the name, so that two majors never share a registry.
const key = Symbol.for('forgejo-runner.registry.v1');

function processWide(): ProcessWide {
  const holder = globalThis as { [key]?: ProcessWide };
  holder[key] ??= { registrations: new Map(), importing: undefined };
  return holder[key];
}

function nameOf(registration: Omit<Registration, 'factory'>): string {
  if (registration.package === undefined) return 'a package without attribution';
  return `${registration.package}@${registration.version ?? 'unknown'}`;
}

function register(factory: BackendFactory, origin?: Origin): void {
  const { registrations, importing } = processWide();
  const from = origin ?? importing;
  const added: Registration = from === undefined ? { factory } : { factory, ...from };
  const present = registrations.get(factory.id);
  if (present === undefined) {
    registrations.set(factory.id, added);
    return;
  }
  if (present.factory !== factory) {
    throw new BackendError(
      'config',
      `backend "${factory.id}" is provided by ${nameOf(present)} and by ${nameOf(added)}: keep one of them`,
      { resource: factory.id, hint: 'build the runner with --without for the one that you do not need' },
    );
  }
  if (present.package === undefined && from !== undefined) registrations.set(factory.id, added);
}

/** The registry of this process, shared by all copies of this package of the same major version. */
export const factories: FactoryRegistry = {
  register,
  get: (id) => processWide().registrations.get(id),
  list: () => [...processWide().registrations.values()],
};

function registerDriver(driver: DockerDriver, origin?: Origin): void {
  const all = processWide();
  const from = origin ?? all.importing;
  const added: DockerDriverRegistration = from === undefined ? { driver } : { driver, ...from };
  const present = all.docker;
  if (present === undefined || (present.driver === driver && present.package === undefined)) {
    all.docker = added;
  } else if (present.driver !== driver) {
    throw new BackendError(
      'config',
      `a Docker driver is provided by ${nameOf(present)} and by ${nameOf(added)}: keep one of them`,
      { hint: 'build the runner with --without for the one that you do not need' },
    );
  }
}

/** The Docker driver of this process, shared like {@link factories}. */
export const dockerDrivers: DockerDriverRegistry = {
  register: registerDriver,
  get: () => processWide().docker,
};

/**
 * Says which package is being imported, so that what registers until the next call is put down to it. Generated
 * entries call it around each import; `undefined` ends it.
 */
export function attributeRegistrationsTo(origin: Origin | undefined): void {
  processWide().importing = origin;
}
