import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { anything, assert, constantFrom, oneof, property, string, array } from 'fast-check';
import { stringify } from 'yaml';
import { expect, it } from 'vitest';
import { UserError } from '../user-error.ts';
import { loadConfig, readConfig } from './load.ts';
import type { RunnerConfig } from './runner-config.ts';

const defaults: RunnerConfig = {
  log: { level: 'info', jobLevel: 'info' },
  runner: {
    file: '.runner',
    capacity: 1,
    labelCapacity: new Map(),
    envs: new Map(),
    timeoutMs: 10_800_000,
    shutdownTimeoutMs: 0,
    insecure: false,
    fetchTimeoutMs: 5000,
    fetchIntervalMs: 2000,
    reportIntervalMs: 1000,
    reportRetry: { maxRetries: 10, initialDelayMs: 100, maxDelayMs: 0 },
  },
  cache: {
    enabled: true,
    port: 0,
    proxyPort: 0,
    limits: {
      maxBytes: 50 * 1024 ** 3,
      maxRepositoryBytes: 10 * 1024 ** 3,
      maxUnusedMs: 7 * 24 * 3_600_000,
      maxAgeMs: 30 * 24 * 3_600_000,
    },
  },
  container: {
    enableIpv6: false,
    privileged: false,
    options: '',
    workdirParent: 'workspace',
    validVolumes: [],
    dockerHost: '-',
    forcePull: false,
    forceRebuild: false,
  },
  host: {},
  connections: new Map(),
  health: {},
  plugins: new Map(),
  backends: new Map(),
  labels: [],
};

function read(text: string): Omit<RunnerConfig, 'source'> {
  const { source: _, ...config } = readConfig(text, 'c.yml');
  return config;
}

function problemsOf(text: string): readonly string[] {
  try {
    readConfig(text, 'c.yml');
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [error.code, ...error.message.split('\n')];
  }
}

it('is all defaults without a file', async () => {
  expect(await loadConfig(undefined)).toEqual(defaults);
});

it.each(['', '---', '# nothing', 'log:\nrunner:\ncache:\ncontainer:\nhost:\nserver:\nplugins:\nbackend:\n'])(
  'is all defaults for %j',
  (text) => {
    expect(read(text)).toEqual(defaults);
  },
);

// Every key that the example configuration of the Go runner's version 12 has, as that example sets it.
const ofGoRunner = `
log: { level: info, job_level: info }
runner:
  file: .runner
  capacity: 1
  envs: { A_TEST_ENV_NAME_1: a_test_env_value_1, A_TEST_ENV_NAME_2: a_test_env_value_2 }
  env_file: .env
  timeout: 3h
  shutdown_timeout: 3h
  insecure: false
  fetch_timeout: 5s
  fetch_interval: 2s
  report_interval: 1s
  report_retry: { max_retries: 10, initial_delay: 100ms, max_delay: 0ms }
  labels: []
cache:
  enabled: true
  dir: ""
  host: ""
  port: 0
  proxy_port: 0
  external_server: ""
  secret: ""
  actions_cache_url_override: ""
container:
  network: ""
  enable_ipv6: false
  privileged: false
  options:
  workdir_parent:
  valid_volumes: []
  docker_host: "-"
  force_pull: false
  force_rebuild: false
host:
  workdir_parent:
`;

it('reads the example of the Go runner', () => {
  expect(read(ofGoRunner)).toEqual({
    ...defaults,
    runner: {
      ...defaults.runner,
      envs: new Map([
        ['A_TEST_ENV_NAME_1', 'a_test_env_value_1'],
        ['A_TEST_ENV_NAME_2', 'a_test_env_value_2'],
      ]),
      envFile: '.env',
      shutdownTimeoutMs: 10_800_000,
    },
  });
});

it.each<[string, object]>([
  ['log: { level: warning, job_level: trace }', { log: { level: 'warn', jobLevel: 'trace' } }],
  ['runner: { capacity: 0, timeout: 0, fetch_interval: 0s, fetch_timeout: 0, report_interval: 0, file: "" }', {}],
  ['runner: { insecure: yes, capacity: 0x10 }', { runner: { ...defaults.runner, insecure: true, capacity: 16 } }],
  [
    'runner: { envs: { A: 1.10, B: true, C: 007, D: ~, E: 1e3, constructor: x } }',
    {
      runner: {
        ...defaults.runner,
        envs: new Map([
          ['A', '1.10'],
          ['B', 'true'],
          ['C', '007'],
          ['E', '1e3'],
          ['constructor', 'x'],
        ]),
      },
    },
  ],
  [
    'runner: { startup_retry: { max_delay: 1m } }',
    { runner: { ...defaults.runner, startupRetry: { maxRetries: 0, initialDelayMs: 1000, maxDelayMs: 60_000 } } },
  ],
  [
    'cache: { enabled: off, secret: 12345, secret_url: "file:/s", external_server: "http://c:1" }',
    {
      cache: {
        ...defaults.cache,
        enabled: false,
        secret: '12345',
        secretUrl: 'file:/s',
        externalServer: 'http://c:1',
      },
    },
  ],
  ['container: { network_mode: bridge }', { container: { ...defaults.container, network: 'bridge' } }],
  [
    'container: { network: a, network_mode: b, valid_volumes: [x, 1] }',
    { container: { ...defaults.container, network: 'a', validVolumes: ['x', '1'] } },
  ],
  ['host: { workdir_parent: jobs }', { host: { workdirParent: resolve('jobs') } }],
  [
    'server: { connections: { a: { url: "https://x", uuid: u, token: 123, fetch_interval: 30s } } }',
    {
      connections: new Map([
        ['a', { url: 'https://x', uuid: 'u', token: '123', codec: 'json', fetchIntervalMs: 30_000 }],
      ]),
    },
  ],
  [
    'plugins: { lxd: { address: "unix:///p", options: { a: ~ } }, b: { address: x } }',
    {
      plugins: new Map([
        ['lxd', { address: 'unix:///p', options: { a: null } }],
        ['b', { address: 'x', options: {} }],
      ]),
    },
  ],
  [
    'backend: { k8s: { a: { b: [1, ~, yes, 1.10] } }, host: }',
    { backends: new Map([['k8s', { a: { b: [1, null, 'yes', 1.1] } }]]) },
  ],
])('reads %s', (text, changed) => {
  expect(read(text)).toEqual({ ...defaults, ...changed });
});

it.each<[string, string[]]>([
  ['lag: {}', ['c.yml:1:1: unknown key "lag"; did you mean "log"']],
  ['runner:\n  labells: []', ['c.yml:2:3: unknown key "labells" in runner; did you mean "labels"']],
  [
    'runner:\n  report_retry:\n    max_retry: 1\n    xyzzy: 2',
    [
      'c.yml:3:5: unknown key "max_retry" in runner.report_retry; did you mean "max_retries"',
      'c.yml:4:5: unknown key "xyzzy" in runner.report_retry',
    ],
  ],
  [
    'log:\n  level: infos\nrunner:\n  capacity: -1\n  timeout: 3 hours\n  insecure: maybe\n',
    [
      'c.yml:2:10: log.level: expected one of trace, debug, info, warn, warning, error, fatal, panic, found "infos"; did you mean "info"',
      'c.yml:4:13: runner.capacity: expected a whole number from 0, found -1',
      'c.yml:5:12: runner.timeout: expected a duration such as 3h, 1m30s or 0, found "3 hours"',
      'c.yml:6:13: runner.insecure: expected true or false, found "maybe"',
    ],
  ],
  ['runner: { capacity: "2" }', ['c.yml:1:21: runner.capacity: expected a whole number from 0, found "2"']],
  ['runner: { capacity: 1.5 }', ['c.yml:1:21: runner.capacity: expected a whole number from 0, found 1.5']],
  ['runner: { timeout: 5 }', ['c.yml:1:20: runner.timeout: expected a duration such as 3h, 1m30s or 0, found 5']],
  ['cache: { port: 65536 }', ['c.yml:1:16: cache.port: expected a whole number from 0 to 65535, found 65536']],
  [
    'cache: { external_server: cache }',
    ['c.yml:1:27: cache.external_server: expected an http or https URL, found "cache"'],
  ],
  ['runner: 5', ['c.yml:1:9: runner: expected a mapping, found 5']],
  ['runner: [a]', ['c.yml:1:9: runner: expected a mapping, found a list']],
  ['hello', ['c.yml:1:1: expected a mapping of settings, found "hello"']],
  ['- a', ['c.yml:1:1: expected a mapping of settings, found a list']],
  ['runner: { envs: { A: [1] } }', ['c.yml:1:22: runner.envs.A: expected a text, found a list']],
  ['container: { valid_volumes: a }', ['c.yml:1:29: container.valid_volumes: expected a list of texts, found "a"']],
  [
    'container: { valid_volumes: [a, {}] }',
    ['c.yml:1:33: container.valid_volumes.1: expected a text, found a mapping'],
  ],
  ['cache: { secret: [hunter2] }', ['c.yml:1:18: cache.secret: expected a text, found a list']],
  [
    'server: { connections: { a: { url: "https://x", uuid: u, token: hunter-2 } } }',
    ['c.yml:1:65: server.connections.a.token: expected letters and digits, found something else'],
  ],
  [
    'server: { connections: { a: { url: "https://x", token: a, token_url: "file:/t" } } }',
    [
      'c.yml:1:26: server.connections.a.uuid: expected a text, found nothing',
      'c.yml:1:29: server.connections.a: expected either token or token_url',
    ],
  ],
  [
    'plugins: { a: { adress: x } }',
    [
      'c.yml:1:12: plugins.a.address: expected a text, found nothing',
      'c.yml:1:17: unknown key "adress" in plugins.a; did you mean "address"',
    ],
  ],
  ['backend: { __proto__: {} }', ['c.yml:1:12: expected another key than "__proto__"']],
  [
    'runner: { envs: { A: &a [*a] } }',
    ['c.yml:1:26: expected a finished value, found the alias "*a" inside of what it stands for'],
  ],
])('refuses %j', (text, problems) => {
  expect(problemsOf(text)).toEqual(['FRR201', ...problems]);
});

it('names wrong labels beside other problems, in the order of the file', () => {
  const text = 'runner:\n  labels: [":host"]\n  capcity: 1\nlog: { level: x }\n';
  expect(problemsOf(text)).toEqual([
    'FRR201',
    'c.yml:2:12: label ":host": expected a name before ":" or "?"',
    'c.yml:3:3: unknown key "capcity" in runner; did you mean "capacity"',
    'c.yml:4:15: log.level: expected one of trace, debug, info, warn, warning, error, fatal, panic, found "x"',
  ]);
});

it('never shows a secret, whatever is wrong around it', () => {
  const texts = [
    'cache: { secret: hunter2, secrett: hunter2 }',
    'cache:\n  secret: hunter2\n bad: [',
    'cache:\n  secret: "hunter2\n',
    'cache:\n  secret: hunter2: hunter2',
    'runner: { envs: { A: { hunter2: 1 } } }',
    'server: { connections: { a: { token: "hunter2!" } } }',
  ];
  for (const text of texts) {
    const problems = problemsOf(text);
    expect(problems.length).toBeGreaterThan(1);
    expect(problems.join('\n')).not.toContain('hunter2');
  }
});

it('reads a file, and says which one it cannot read', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'config-'));
  const file = join(folder, 'config.yml');
  try {
    await expect(loadConfig(file)).rejects.toThrow(
      expect.objectContaining({
        code: 'FRR102',
        message: `expected a readable configuration file at ${JSON.stringify(file)}, found ENOENT`,
      }),
    );
    await writeFile(file, 'runner: { capacity: 3 }');
    expect((await loadConfig(file)).runner.capacity).toBe(3);
    await writeFile(file, 'runner: { capacity: x }');
    await expect(loadConfig(file)).rejects.toThrow(`${file}:1:21: runner.capacity: expected a whole number`);
  } finally {
    await rm(folder, { recursive: true });
  }
});

it('tells at once what others find wrong, who see what is right', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'config-'));
  const file = join(folder, 'config.yml');
  const seen: RunnerConfig[] = [];
  const options = {
    cwd: folder,
    lookFurther: async (config: RunnerConfig) => {
      seen.push(config);
      return [{ message: 'another', at: { file: 'config.yml', line: 1, column: 1 } }];
    },
  };
  try {
    await writeFile(file, 'runner: { capacity: 2, labels: ["a:docker", "b:k8s", "c:x"] }\nplugins: { x: 1 }');
    expect((await loadConfig(file, options).catch((error: unknown) => error)) as UserError).toMatchObject({
      code: 'FRR201',
      message: expect.stringMatching(/^config\.yml:1:1: another\nconfig\.yml:2:\d+: plugins\.x: .*$/) as string,
    });
    // Of labels whose backend is wrong itself, nothing can be said.
    expect(seen[0]).toMatchObject({ runner: { capacity: 2 }, labels: [{ name: 'a' }, { name: 'b' }] });
    await writeFile(file, 'runner: { labels: ["a:docker", ":"] }');
    await expect(loadConfig(file, options)).rejects.toThrow(/^config\.yml:1:1: another\nconfig\.yml:1:\d+: /);
    await writeFile(file, 'runner: { capacity: 2 }');
    await loadConfig(file, options);
    expect(seen).toHaveLength(2);
    await expect(loadConfig(join(folder, 'no.yml'), options)).rejects.toThrow('file at "no.yml", found ENOENT');
  } finally {
    await rm(folder, { recursive: true });
  }
});

it('takes variables from the file that env_file names, over those of envs', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'config-'));
  const file = join(folder, 'config.yml');
  const variables = join(folder, 'variables');
  try {
    await writeFile(file, `runner: { envs: { A: config, B: config }, env_file: ${JSON.stringify(variables)} }`);
    expect(Object.fromEntries((await loadConfig(file)).runner.envs)).toEqual({ A: 'config', B: 'config' });
    await writeFile(variables, 'B=file\nC="of the file"\n');
    const { envs } = (await loadConfig(file)).runner;
    expect(Object.fromEntries(envs)).toEqual({ A: 'config', B: 'file', C: 'of the file' });
    await writeFile(variables, 'A=1\n= nothing\n');
    await expect(loadConfig(file)).rejects.toThrow(`${variables}:2:1: expected NAME=value`);
  } finally {
    await rm(folder, { recursive: true });
  }
});

it('answers any YAML with a configuration or a list of problems', () => {
  const word = constantFrom('runner', 'labels', 'envs', 'server', 'connections', 'backend', '__proto__', 'a', '1', '~');
  const piece = oneof(
    word,
    constantFrom(':', ' ', '\n', '\n  ', '- ', '{', '}', '[', ']', ', ', '&a ', '*a', '"', '|', '<<'),
    string(),
  );
  assert(property(array(piece), (pieces) => problemsOf(pieces.join('')).length >= 0));
  assert(
    property(anything(), word, (value, key) => {
      const yaml = stringify({ runner: { [key]: value }, backend: value, server: { connections: value } }) ?? '';
      return problemsOf(yaml).length >= 0;
    }),
  );
});

it.each(['unix:/run/docker.sock', '/run/docker.sock', 'auto'])('refuses the engine %s', (dockerHost) => {
  const read = () => readConfig(`container: { docker_host: "${dockerHost}" }`, 'c.yml');
  expect(read).toThrow(
    'container.docker_host: expected "-", automount or a URL such as unix:///run/docker.sock, found',
  );
});

it.each(['', '-', 'automount', 'unix:///run/docker.sock', 'tcp://h:1', 'ssh://me@h'])(
  'takes the engine "%s"',
  (dockerHost) => {
    const { container } = readConfig(`container: { docker_host: "${dockerHost}" }`, 'c.yml');
    expect(container.dockerHost).toBe(dockerHost || '-');
  },
);
