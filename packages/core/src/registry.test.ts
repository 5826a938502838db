import { afterEach, expect, it } from 'vitest';
import type { DockerDriver } from './docker-driver.ts';
import { BackendError, isBackendError } from './errors.ts';
import type { BackendFactory } from './factory.ts';
import * as registry from './registry.ts';

const { attributeRegistrationsTo, dockerDrivers, factories } = registry;
let made = 0;

function factoryOf(id: string): BackendFactory {
  return {
    api: 1,
    id,
    description: 'for a test',
    configSchema: { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } },
    create: () => Promise.reject(new BackendError('internal', 'not to be created')),
  };
}

/** The registry is one per process, so each test takes an id of its own. */
function freshId(): string {
  made += 1;
  return `registry-test-${made}`;
}

afterEach(() => attributeRegistrationsTo(undefined));

function failure(work: () => void): BackendError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return isBackendError(error) ? error : undefined;
  }
}

it('finds what was registered, and lists in the order of registration', () => {
  const [first, second] = [factoryOf(freshId()), factoryOf(freshId())];
  factories.register(second);
  factories.register(first, { package: '@acme/one', version: '1.2.3' });
  expect(factories.get(first.id)).toEqual({ factory: first, package: '@acme/one', version: '1.2.3' });
  expect(factories.get(second.id)).toEqual({ factory: second });
  expect(factories.get('nobody-has-this')).toBeUndefined();
  const ids = factories.list().map((registration) => registration.factory.id);
  expect(ids.indexOf(second.id)).toBeLessThan(ids.indexOf(first.id));
});

it('does nothing when the same object comes again, and keeps what it knows about its origin', () => {
  const factory = factoryOf(freshId());
  factories.register(factory);
  const before = factories.list().length;
  factories.register(factory, { package: '@acme/one', version: '1.0.0' });
  factories.register(factory);
  factories.register(factory, { package: '@acme/other', version: '9.0.0' });
  expect([factories.list().length, factories.get(factory.id)?.package]).toEqual([before, '@acme/one']);
});

it('names both packages and versions when two provide one backend', () => {
  const id = freshId();
  const first = factoryOf(id);
  factories.register(first, { package: '@acme/one', version: '1.0.0' });
  const error = failure(() => factories.register(factoryOf(id), { package: '@acme/two', version: '2.1.0' }));
  expect([error?.code, error?.message]).toEqual([
    'config',
    `backend "${id}" is provided by @acme/one@1.0.0 and by @acme/two@2.1.0: keep one of them`,
  ]);
  expect(error?.details.hint).toContain('--without');
  expect(factories.get(id)?.factory).toBe(first);
});

it('says so when nobody knows where one came from', () => {
  const id = freshId();
  factories.register(factoryOf(id));
  expect(failure(() => factories.register(factoryOf(id)))?.message).toContain(
    'a package without attribution and by a package without attribution',
  );
});

it('puts what registers down to the package that is being imported', () => {
  const [during, after] = [factoryOf(freshId()), factoryOf(freshId())];
  attributeRegistrationsTo({ package: '@acme/three', version: '3.0.0' });
  factories.register(during);
  attributeRegistrationsTo(undefined);
  factories.register(after);
  expect([factories.get(during.id)?.package, factories.get(after.id)?.package]).toEqual(['@acme/three', undefined]);
});

it('is shared by two copies of this package in one process', async () => {
  const path = './registry.ts?second-copy';
  const copy = (await import(path)) as typeof registry;
  expect(copy.factories).not.toBe(factories);
  const factory = factoryOf(freshId());
  copy.attributeRegistrationsTo({ package: '@acme/four', version: '4.0.0' });
  factories.register(factory);
  copy.attributeRegistrationsTo(undefined);
  expect(copy.factories.get(factory.id)).toEqual({ factory, package: '@acme/four', version: '4.0.0' });
  const other = factoryOf(freshId());
  copy.factories.register(other);
  expect(factories.get(other.id)?.factory).toBe(other);
  expect(failure(() => copy.factories.register(factoryOf(factory.id)))?.message).toContain('@acme/four@4.0.0');
});

it('lives under a key that names the major version', () => {
  factories.list();
  expect(Object.getOwnPropertySymbols(globalThis)).toContain(Symbol.for('forgejo-runner.registry.v1'));
});

function never(): Promise<never> {
  return Promise.reject(new BackendError('internal', 'not to be opened'));
}

function driver(): DockerDriver {
  return { api: 1, fields: ['env'], open: never, sweep: never };
}

it('keeps one Docker driver, and names both packages when a second one comes', () => {
  expect(dockerDrivers.get()).toBeUndefined();
  const first = driver();
  dockerDrivers.register(first);
  attributeRegistrationsTo({ package: '@acme/one', version: '1.0.0' });
  dockerDrivers.register(first);
  expect(dockerDrivers.get()).toEqual({ driver: first, package: '@acme/one', version: '1.0.0' });
  const error = failure(() => dockerDrivers.register(driver(), { package: '@acme/two', version: '2.0.0' }));
  expect(error?.code).toBe('config');
  expect(error?.message).toMatch(/@acme\/one@1\.0\.0 and by @acme\/two@2\.0\.0/);
  expect(dockerDrivers.get()?.driver).toBe(first);
});
