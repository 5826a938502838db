import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type BackendFactory,
  BackendError,
  type Capabilities,
  type CallContext,
  defineBackend,
  type FactoryInput,
  type FactoryRegistry,
  parseLabel,
} from '@forgejo-runner/core';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { fakeIo } from '../../test/fake-io.ts';
import { readConfig } from '../config/load.ts';
import { UserError } from '../user-error.ts';
import { openBackends, type OpenedBackends } from './backends.ts';
import { openProcessLog } from './process-log.ts';

const capabilities: Capabilities = {
  containers: { via: 'none' },
  exec: { stdin: false, tty: false, user: false, signals: false, resume: false },
  files: { ownership: false, shared: false },
  isolation: 'none',
  recover: false,
  features: [],
};

interface Behaviour {
  readonly id: string;
  readonly config?: z.ZodType;
  readonly label?: z.ZodType;
  readonly create?: (input: FactoryInput, ctx: CallContext) => void | Promise<void>;
  readonly resolve?: () => void;
  readonly dispose?: () => void | Promise<void>;
  readonly saysItsOptions?: boolean;
}

/** What happened to the backends of a test, in order. */
let events: string[];
let inputs: Map<string, FactoryInput>;
let stateDir: string;

beforeEach(async () => {
  events = [];
  inputs = new Map();
  stateDir = await mkdtemp(join(tmpdir(), 'backends-'));
});

afterEach(async () => {
  await rm(stateDir, { recursive: true });
});

function no(): Promise<never> {
  return Promise.reject(new Error('not in this test'));
}

function factory(behaviour: Behaviour): BackendFactory {
  const { id, config = z.strictObject({}), label = z.strictObject({}) } = behaviour;
  return {
    api: 1,
    id,
    description: id,
    configSchema: config,
    ...(behaviour.saysItsOptions === true
      ? { jsonSchema: () => ({ label: z.toJSONSchema(label, { io: 'input' }) }) }
      : {}),
    create: async (input, ctx) => {
      inputs.set(id, input);
      await behaviour.create?.(input, ctx);
      events.push(`create ${id}`);
      return {
        id,
        resolveLabel: async ({ name, options }) => {
          behaviour.resolve?.();
          const read = label.safeParse(options);
          if (!read.success) throw new BackendError('label', `${name} is wrong`, { issues: read.error.issues });
          return { capabilities, canonical: name, data: read.data };
        },
        createEnvironment: no,
        sweep: no,
        health: no,
        [Symbol.asyncDispose]: async () => {
          events.push(`dispose ${id}`);
          await behaviour.dispose?.();
        },
      };
    },
  };
}

function registry(...list: readonly BackendFactory[]): FactoryRegistry {
  const registrations = list.map((one) => ({ factory: one }));
  return {
    register: () => {},
    get: (id) => registrations.find((one) => one.factory.id === id),
    list: () => registrations,
  };
}

function cannotSay(): never {
  throw new Error('a date has no JSON Schema');
}

const owner = { runner: 'r', boot: 'b' };
const log = openProcessLog({ stream: fakeIo().io.stderr, level: 'panic', mask: (text) => text });

async function open(yaml: string, factories: readonly BackendFactory[], signal?: AbortSignal): Promise<OpenedBackends> {
  const config = readConfig(yaml, 'c.yml');
  return await openBackends(
    { labels: config.labels, config, factories: registry(...factories), owner, stateDir, log, addMask: () => {} },
    signal ?? new AbortController().signal,
  );
}

async function problemsOf(yaml: string, factories: readonly BackendFactory[]): Promise<readonly string[]> {
  const error = await open(yaml, factories).catch((error: unknown) => error);
  if (!(error instanceof UserError)) throw error;
  return [error.code, ...error.message.split('\n')];
}

const k8s = {
  id: 'k8s',
  config: z.strictObject({ kubeconfig: z.string(), sweep: z.enum(['all', 'only-expired']).default('all') }),
  label: z.strictObject({ image: z.string(), cpu: z.coerce.number().optional() }),
  saysItsOptions: true,
};

it('makes the backends that labels use, and has them validate their labels', async () => {
  const yaml = `
runner:
  labels:
    ci: { backend: k8s, backend-options: { image: alpine, cpu: "2" } }
    shell: { backend: host }
backend: { k8s: { kubeconfig: /k } }
`;
  const unused = factory({ id: 'unused' });
  {
    await using opened = await open(yaml, [factory(k8s), factory({ id: 'host' }), unused]);
    expect(
      opened
        .all()
        .map((backend) => backend.id)
        .toSorted(),
    ).toEqual(['host', 'k8s']);
    expect(opened.get('k8s')?.id).toBe('k8s');
    expect(opened.get('unused')).toBeUndefined();
    expect([...opened.labels.keys()].toSorted()).toEqual(['ci', 'shell']);
    const ci = opened.labels.get('ci');
    expect(ci?.backend).toBe(opened.get('k8s'));
    expect(ci?.resolved).toEqual({ capabilities, canonical: 'ci', data: { image: 'alpine', cpu: 2 } });
    expect(ci?.configuration.options).toEqual({ image: 'alpine', cpu: '2' });
  }
  const { config, ...input } = inputs.get('k8s') ?? {};
  expect(config).toEqual({ kubeconfig: '/k', sweep: 'all' });
  expect(input).toMatchObject({ owner, apiVersion: '1.0.0', stateDir: join(stateDir, 'backends', 'k8s') });
  expect((await stat(join(stateDir, 'backends', 'k8s'))).mode & 0o777).toBe(0o700);
  expect(events.filter((event) => event.startsWith('dispose')).toSorted()).toEqual(['dispose host', 'dispose k8s']);
});

it('makes no backend when there is no label', async () => {
  await using opened = await open('backend: { k8s: { wrong: 1 } }', [factory(k8s)]);
  expect(opened.all()).toEqual([]);
});

it('names all that is wrong with all labels and sections at once', async () => {
  const yaml = `
runner:
  labels:
    one: { backend: k8z }
    two: { backend: tart }
    three: { backend: host, backend-options: { imag: x } }
    four: { backend: host, backend-options: { image: [1], cpu: many } }
    five: { backend: k8s, backend-options: { image: x } }
    six: { backend: broken }
    seven: { backend: away }
backend:
  k8s:
    kubeconfg: /k
    sweep: never
  hosts: {}
  away: { a: 1 }
`;
  const factories = [
    factory(k8s),
    factory({ ...k8s, id: 'host', config: z.strictObject({}) }),
    factory({
      id: 'broken',
      create: () => {
        throw new TypeError('x is not a function');
      },
    }),
    factory({
      id: 'away',
      config: z.unknown(),
      create: () => {
        throw new BackendError('unavailable', 'nobody answers at tcp://x', { hint: 'start it' });
      },
    }),
  ];
  expect(await problemsOf(yaml, factories)).toEqual([
    'FRR203',
    'c.yml:4:5: label "one": this runner has no backend "k8z"; did you mean "k8s"',
    'c.yml:5:5: label "two": this runner has no backend "tart"; build the runner with --with and the package that has it',
    'c.yml:6:29: label "three" for backend "host": option "image": Invalid input: expected string, received undefined',
    'c.yml:6:48: label "three" for backend "host": unknown option "imag"; did you mean "image"',
    'c.yml:7:54: label "four" for backend "host": option "image": Invalid input: expected string, received array',
    'c.yml:7:64: label "four" for backend "host": option "cpu": Invalid input: expected number, received NaN',
    'c.yml:9:5: backend "broken": met a defect of the backend: x is not a function',
    'c.yml:12:3: backend.k8s: option "kubeconfig": Invalid input: expected string, received undefined',
    'c.yml:13:5: backend.k8s: unknown option "kubeconfg"; did you mean "kubeconfig"',
    'c.yml:14:12: backend.k8s: option "sweep": Invalid option: expected one of "all"|"only-expired"',
    'c.yml:15:3: backend.hosts: this runner has no backend "hosts"; did you mean "host"',
    'c.yml:16:3: backend "away": nobody answers at tcp://x; start it',
  ]);
  expect(events.toSorted()).toEqual(['create host', 'dispose host']);
});

it('finds the option and the backend that were meant where neighbours changed places', async () => {
  const yaml = `
runner:
  labels:
    one: { backend: k8s, backend-options: { iamge: x, image: x } }
    two: { backend: hsot }
backend: { k8s: { kubeconfig: k } }
`;
  expect(await problemsOf(yaml, [factory(k8s), factory({ id: 'host' })])).toEqual([
    'FRR203',
    'c.yml:4:45: label "one" for backend "k8s": unknown option "iamge"; did you mean "image"',
    'c.yml:5:5: label "two": this runner has no backend "hsot"; did you mean "host"',
  ]);
});

it('suggests no option that takes nothing, and says where there are none', async () => {
  const label = z.strictObject({ image: z.never({ error: 'it takes no argument' }).exactOptional() });
  const { jsonSchema } = defineBackend({
    id: 'without-options',
    description: 'for a test',
    config: z.strictObject({}),
    label,
    create: no,
  });
  const bare = { ...factory({ id: 'bare', label }), ...(jsonSchema === undefined ? {} : { jsonSchema }) };
  expect(await problemsOf('runner: { labels: ["a:bare?imag=1", "b:bare:x"] }', [bare])).toEqual([
    'FRR203',
    'c.yml:1:20: label "a" for backend "bare": unknown option "imag"; expected no options, leave it out',
    'c.yml:1:37: label "b" for backend "bare": option "image": it takes no argument',
  ]);
});

it('says what is wrong also where a backend cannot say its options', async () => {
  const silent = {
    ...factory({ ...k8s, config: z.strictObject({ day: z.date().optional() }) }),
    jsonSchema: cannotSay,
  };
  expect(await problemsOf('runner: { labels: ["a:k8s://x?cpus=1"] }', [silent])).toEqual([
    'FRR203',
    'c.yml:1:20: label "a" for backend "k8s": unknown option "cpus"',
  ]);
  expect(await problemsOf('runner: { labels: ["a:k8s://x"] }\nbackend: { k8s: { dya: 1 } }', [silent])).toEqual([
    'FRR203',
    'c.yml:2:19: backend.k8s: unknown option "dya"',
  ]);
});

it('names the whole label for what is wrong in the string form', async () => {
  expect(
    await problemsOf('runner: { labels: ["ci:k8s://a?cpus=1"] }\nbackend: { k8s: { kubeconfig: k } }', [factory(k8s)]),
  ).toEqual(['FRR203', 'c.yml:1:20: label "ci" for backend "k8s": unknown option "cpus"; did you mean "cpu"']);
});

it('says what is wrong with labels that come from no file', async () => {
  const config = readConfig('', 'c.yml');
  const labels = [parseLabel('a:k8s?x=1'), parseLabel('b:nothing')];
  const options = { labels, config, owner, stateDir, log, addMask: () => {} };
  const lenient = factory({ ...k8s, config: z.unknown() });
  await expect(
    openBackends({ ...options, factories: registry(lenient) }, new AbortController().signal),
  ).rejects.toThrow(
    'label "b": this runner has no backend "nothing"; build the runner with --with and the package that has it\n' +
      'label "a" for backend "k8s": option "image": Invalid input: expected string, received undefined\n' +
      'label "a" for backend "k8s": unknown option "x"',
  );
});

it('takes older keys for the section that lacks them', async () => {
  const host = factory({ id: 'host', config: z.strictObject({ workdir_parent: z.string() }) });
  const yaml = 'runner: { labels: ["a:host"] }\nhost: { workdir_parent: /old }\n';
  await using first = await open(yaml, [host]);
  expect(inputs.get('host')?.config).toEqual({ workdir_parent: '/old' });
  await using second = await open(`${yaml}backend: { host: { workdir_parent: /new } }`, [host]);
  expect(inputs.get('host')?.config).toEqual({ workdir_parent: '/new' });
  expect(first.all().length + second.all().length).toBe(2);
  const picky = factory({ id: 'host', config: z.strictObject({ workdir_parent: z.string().max(2) }) });
  expect(await problemsOf(yaml, [picky])).toEqual([
    'FRR203',
    'c.yml:2:25: backend.host: option "workdir_parent": Too big: expected string to have <=2 characters',
  ]);
});

it('makes a plugin from the factory grpc', async () => {
  const yaml = 'runner: { labels: ["a:lxd"] }\nplugins: { lxd: { address: "unix:///p", options: { x: 1 } } }';
  const grpc = factory({ id: 'grpc', config: z.strictObject({ address: z.string(), options: z.unknown() }) });
  await using opened = await open(yaml, [grpc]);
  expect(opened.get('lxd')?.id).toBe('lxd');
  expect(inputs.get('grpc')).toMatchObject({
    config: { address: 'unix:///p', options: { x: 1 } },
    stateDir: join(stateDir, 'backends', 'lxd'),
  });
  expect(await problemsOf(yaml, [])).toEqual([
    'FRR203',
    'c.yml:1:20: label "a": this runner has no backend "grpc", which runs the plugin "lxd"; build the runner with --with and the package that has it',
  ]);
});

it('keeps labels of connections apart', async () => {
  const yaml = `
runner: { labels: ["a:host"] }
server:
  connections:
    one: { url: u, uuid: u, token: t, labels: ["a:host", "b:host"] }
    two: { url: u, uuid: u, token: t }
`;
  await using opened = await open(yaml, [factory({ id: 'host' })]);
  expect([...opened.labels.keys()]).toEqual(['a']);
  expect([...opened.labelsOf('one').keys()]).toEqual(['a', 'b']);
  expect(opened.labelsOf('two')).toBe(opened.labels);
});

it('closes the others when one cannot be made, and survives what cannot be closed', async () => {
  const clumsy = factory({
    id: 'clumsy',
    dispose: () => {
      throw new Error('no');
    },
  });
  const failing = factory({ id: 'failing', create: () => Promise.reject(new BackendError('config', 'cannot work')) });
  const yaml = 'runner: { labels: ["a:clumsy", "b:failing", "c:clumsy"] }';
  expect(await problemsOf(yaml, [clumsy, failing])).toEqual(['FRR203', 'c.yml:1:32: backend "failing": cannot work']);
  expect(events).toEqual(['create clumsy', 'dispose clumsy']);
});

it('keeps what a backend threw as the cause', async () => {
  const thrown = new BackendError('unavailable', 'away');
  const failing = factory({ id: 'failing', create: () => Promise.reject(thrown) });
  const error = await open('runner: { labels: ["a:failing"] }', [failing]).catch((error: unknown) => error);
  expect(error).toMatchObject({ cause: thrown });
});

it('gives up waiting when it is told to, and closes what comes later', async () => {
  const gate = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const slow = factory({
    id: 'slow',
    create: async () => {
      entered.resolve();
      await gate.promise;
    },
  });
  const stop = new AbortController();
  const opening = open('runner: { labels: ["a:slow", "b:host"] }', [slow, factory({ id: 'host' })], stop.signal);
  await entered.promise;
  stop.abort(new Error('stop'));
  await expect(opening).rejects.toThrow('stop');
  gate.resolve();
  await expect.poll(() => events).toContain('dispose slow');
});

it('says that a label met a defect of the backend', async () => {
  const buggy = factory({
    id: 'buggy',
    resolve: () => {
      throw new TypeError('undefined is not a function');
    },
  });
  expect(await problemsOf('runner: { labels: ["a:buggy"] }', [buggy])).toEqual([
    'FRR203',
    'c.yml:1:20: label "a" for backend "buggy": met a defect of the backend: undefined is not a function',
  ]);
});

it('does not wait for ever for a backend to close', async () => {
  const stuck = factory({ id: 'stuck', dispose: () => new Promise(() => {}) });
  const opened = await open('runner: { labels: ["a:stuck", "b:host"] }', [factory({ id: 'host' }), stuck]);
  vi.useFakeTimers();
  try {
    const closed = opened[Symbol.asyncDispose]();
    await vi.advanceTimersByTimeAsync(30_000);
    await closed;
  } finally {
    vi.useRealTimers();
  }
  expect(events).toContain('dispose host');
});

it('makes several backends of one factory, each with a name, settings and a folder of its own', async () => {
  const yaml = `
runner:
  labels: ["a:host", "b:second"]
container: { docker_host: "unix:///old.sock" }
backend: { second: { factory: host, docker: "unix:///s" } }
`;
  const seen: FactoryInput[] = [];
  const docker = z.strictObject({ docker: z.string() });
  const host = factory({ id: 'host', config: docker, create: (input) => void seen.push(input) });
  await using opened = await open(yaml, [host]);
  expect(['host', 'second'].map((id) => opened.get(id)?.id)).toEqual(['host', 'second']);
  expect(opened.labels.get('b')?.backend.id).toBe('second');
  const byFolder = seen
    .map(({ config, stateDir: folder }) => [folder.split('/').at(-1), config] as const)
    .toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1));
  expect(byFolder).toEqual([
    ['host', { docker: 'unix:///old.sock' }],
    ['second', { docker: 'unix:///s' }],
  ]);
});

it('hands on what a backend of another name can do besides', async () => {
  const plain = factory({ id: 'host' });
  const host: BackendFactory = {
    ...plain,
    create: async (input, ctx) => {
      const made = await plain.create(input, ctx);
      return { ...made, dockerEndpoints: async () => [], recover: async () => [] };
    },
  };
  await using opened = await open('runner: { labels: ["a:x", "b:host"] }\nbackend: { x: { factory: host } }', [host]);
  for (const id of ['x', 'host']) {
    expect(opened.get(id)).toMatchObject({ dockerEndpoints: expect.any(Function), recover: expect.any(Function) });
  }
});

it('says which factory is meant, where that is misspelt', async () => {
  const yaml = 'runner: { labels: ["a:podman"] }\nbackend: { podman: { factory: dokcer } }';
  expect(await problemsOf(yaml, [factory({ id: 'docker' })])).toEqual([
    'FRR203',
    'c.yml:1:20: label "a": this runner has no backend "dokcer"; did you mean "docker"',
    'c.yml:2:22: backend.podman.factory: this runner has no backend "dokcer"; did you mean "docker"',
  ]);
});

it('suggests backends by the names that the configuration gave them', async () => {
  const yaml = 'runner: { labels: ["a:podmn"] }\nbackend: { podman: { factory: docker } }';
  expect(await problemsOf(yaml, [factory({ id: 'docker' })])).toEqual([
    'FRR203',
    'c.yml:1:20: label "a": this runner has no backend "podmn"; did you mean "podman"',
  ]);
});

it('puts a wrong value of an older key where that stands, for every backend of the factory', async () => {
  const yaml = 'runner: { labels: ["a:x"] }\ncontainer:\n  network: wrong\nbackend: { x: { factory: docker } }';
  const docker = factory({ id: 'docker', config: z.strictObject({ network: z.literal('right').optional() }) });
  expect(await problemsOf(yaml, [docker])).toEqual([
    'FRR203',
    expect.stringContaining('c.yml:3:12: backend.x: option "network"'),
  ]);
});
