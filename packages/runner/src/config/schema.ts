import { resolve } from 'node:path';
import * as z from 'zod';
import type { LogLevel, PluginSection, RetrySection, RunnerConfig } from './runner-config.ts';
import {
  anything,
  choice,
  count,
  counts,
  duration,
  flag,
  optionalDuration,
  pattern,
  requiredText,
  size,
  text,
  textList,
  texts,
} from './setting.ts';

const levels = ['trace', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'panic'] as const;
const many = { max: Number.MAX_SAFE_INTEGER };
const port = { max: 65_535 };
const httpUrl = /^https?:\/\/\S+$/;
const dockerHost = /^(?:-|automount|[a-z]+:\/\/\S+)$/;
const fileUrl = /^file:\S+$/;
const labelForms =
  'a list such as ["debian:docker://node:22-bookworm", "shell:host"], or a mapping of names to backend and backend-options';

const log = z.strictObject({
  level: choice(levels, 'info', 'What the runner itself logs'),
  job_level: choice(levels, 'info', 'What it logs into the log of a job'),
});

const retry = { max_delay: duration('0s', 'Longest wait between two attempts; 0 is no limit') };
const reportRetry = z.strictObject({
  max_retries: count(10, many, 'Attempts to send the last rows and the result of a job'),
  initial_delay: duration('100ms', 'Wait after the first attempt; doubles with each'),
  ...retry,
});
const startupRetry = z.strictObject({
  max_retries: count(0, many, 'Attempts to reach the instance at start; 0 goes on for ever'),
  initial_delay: duration('1s', 'Wait after the first attempt; doubles with each'),
  ...retry,
});

const runner = z.strictObject({
  file: text('File with the identity that register wrote', { byDefault: '.runner' }),
  capacity: count(1, many, 'How many jobs run at the same time, over all connections'),
  label_capacity: counts(
    'How many jobs run at the same time for a label, where that is less than capacity',
    '{ gpu: 1 }',
  ),
  envs: texts(
    'Variables for all jobs; those that a workflow sets win over them',
    '{ HTTP_CACHE: "http://cache.example" }',
  ),
  env_file: text('File with more variables for all jobs, merged over envs; it may be missing', { example: '.env' }),
  timeout: duration('3h', 'Longest time that a job may take'),
  shutdown_timeout: duration('0s', 'How long running jobs may go on after SIGINT or SIGTERM; 0 cancels them at once'),
  insecure: flag(false, 'Do not verify TLS certificates of the instance'),
  fetch_timeout: duration('5s', 'Longest time that one request for work may take'),
  fetch_interval: duration('2s', 'Time between two requests for work'),
  report_interval: duration('1s', 'Time between two reports of rows and states'),
  report_retry: reportRetry.prefault({}),
  startup_retry: startupRetry.optional(),
  labels: anything('What jobs may ask for with runs-on, and where such jobs run; they win over labels in the file', {
    expected: labelForms,
    byDefault: '[]',
  }),
});

const s3 = z.strictObject({
  bucket: requiredText('Bucket that runners share', { example: 'caches' }),
  prefix: text('What the names of all objects begin with', { example: 'runners' }),
  endpoint: pattern(httpUrl, 'Address of the storage; by default that of Amazon for the region', {
    expected: 'an http or https URL',
    example: 'https://minio.example:9000',
  }),
  region: text('Region of the bucket', { byDefault: 'us-east-1' }),
  access_key: text('Key id; by default the client library looks in environment, files and the role of the machine', {
    example: 'KEY-ID',
  }),
  secret_key: text('Secret of that key', { isSecret: true, example: 'SECRET' }),
  secret_key_url: pattern(fileUrl, 'File with that secret', {
    expected: 'a file: URL',
    example: 'file:$CREDENTIALS_DIRECTORY/s3-secret',
  }),
});

const cache = z.strictObject({
  enabled: flag(true, 'Offer a cache to jobs'),
  dir: text('Folder of the cache; by default actcache in the cache folder of the user', {
    example: '/var/cache/runner',
  }),
  host: text('Host in the address that jobs get; by default the one that this machine uses outwards', {
    example: '10.0.0.2',
  }),
  port: count(0, port, 'Port of the cache server; 0 takes a free one'),
  proxy_port: count(0, port, 'Port of the proxy that jobs talk to; 0 takes a free one'),
  external_server: pattern(httpUrl, 'Cache server that runs elsewhere, instead of one here', {
    expected: 'an http or https URL',
    example: 'http://cache.example:8080',
  }),
  secret: text('Secret shared with an external cache server; random where there is none', {
    isSecret: true,
    example: 'SECRET',
  }),
  secret_url: pattern(fileUrl, 'File with that secret', {
    expected: 'a file: URL',
    example: 'file:$CREDENTIALS_DIRECTORY/cache-secret',
  }),
  actions_cache_url_override: pattern(httpUrl, 'Address that jobs get instead of that of the proxy', {
    expected: 'an http or https URL',
    example: 'http://cache.example:8080/',
  }),
  bind: text('Address that the cache server listens at; by default it listens only where a job is', {
    example: '0.0.0.0',
  }),
  tls_cert: text('File with the certificate of the cache server, as PEM; with it jobs use https', {
    example: '/etc/runner/cache.pem',
  }),
  tls_key: text('File with the key of that certificate, as PEM', { example: '/etc/runner/cache.key' }),
  max_size: size('50GiB', 'What all entries may have together; beyond it goes what nobody used for longest'),
  max_repository_size: size('10GiB', 'What the entries of one repository may have, and its uploads at one time'),
  max_unused: duration('168h', 'How long an entry is kept that nobody uses; 0 is no limit'),
  max_age: duration('720h', 'How long an entry is kept in any case; 0 is no limit'),
  s3: s3.optional(),
});

const container = z.strictObject({
  network: text('Network of containers: host, bridge or a name; by default one for each job', { example: 'bridge' }),
  network_mode: text('Former name of network', { isDeprecated: true, example: 'bridge' }),
  enable_ipv6: flag(false, 'Give created networks IPv6 addresses'),
  privileged: flag(false, 'Run all containers of jobs in privileged mode'),
  options: text('Options for containers of jobs, as for docker run', { example: '"--cpus 2"' }),
  workdir_parent: text('Folder in containers where jobs work', { byDefault: 'workspace' }),
  valid_volumes: textList('Volumes that jobs may mount, as glob patterns', '["data", "/srv/*.d"]'),
  docker_host: pattern(
    dockerHost,
    'Docker to use, and what jobs get of it: "-" nothing, automount its socket, or a URL',
    {
      expected: '"-", automount or a URL such as unix:///run/docker.sock',
      byDefault: '-',
    },
  ),
  force_pull: flag(false, 'Pull images even if they are there'),
  force_rebuild: flag(false, 'Build images of Docker actions even if they are there'),
});

const host = z.strictObject({
  workdir_parent: text('Folder for jobs that run on this machine; by default one in the cache folder of the user', {
    example: '/var/lib/runner/jobs',
  }),
});

const connection = z
  .strictObject({
    url: requiredText('Address of the instance', { example: 'https://codeberg.org' }),
    uuid: requiredText('Identity of the runner there', { example: '8c7a0000-0000-4000-8000-000000000000' }),
    token: pattern(/^[A-Za-z0-9]+$/, 'Token of the runner there', {
      expected: 'letters and digits',
      isSecret: true,
      example: 'TOKEN',
    }),
    token_url: pattern(fileUrl, 'File with that token', {
      expected: 'a file: URL',
      example: 'file:$CREDENTIALS_DIRECTORY/token',
    }),
    ca_file: text('PEM file with certificates of authorities to trust there beside those of the system', {
      example: '/etc/ssl/own-ca.pem',
    }),
    codec: choice(
      ['json', 'binary'],
      'json',
      'How messages are written; binary is smaller, and lacks what Forgejo alone has',
    ),
    labels: anything('Labels of this connection instead of runner.labels', { expected: labelForms, example: '[]' }),
    fetch_interval: optionalDuration('Time between two requests for work, instead of runner.fetch_interval'),
  })
  .refine((read) => (read.token === '') !== (read.token_url === ''), {
    error: 'expected either token or token_url',
    // Checked beside other problems of the connection, not after them.
    when: ({ value }) => typeof value === 'object' && value !== null,
  });

const plugin = z.strictObject({
  address: requiredText('Where the plugin listens', { example: 'unix:///run/plugin.sock' }),
  options: anything('Handed to the plugin', { expected: 'a mapping', example: '{ project: ci }' }),
  tls: anything('Certificates for host:port: ca, cert, key, server_name, pinned', {
    expected: 'a mapping',
    example: '{ ca: /etc/plugin/ca.pem }',
  }),
  workdir_parent: text('Folder in environments below which jobs work, for plugins of the Go runner', {
    example: '/workspace',
  }),
  insecure_tcp: flag(false, 'Speak to host:port without TLS: whoever is on the way reads the secrets of jobs'),
});

const health = z.strictObject({
  listen: text('Address for probes, metrics and the status page, as host:port; nothing listens by default', {
    example: '127.0.0.1:9870',
  }),
  token: text('What metrics and the status page want as a password or bearer token; needed beyond this machine', {
    isSecret: true,
    example: 'SECRET',
  }),
  token_url: pattern(fileUrl, 'File with that token', {
    expected: 'a file: URL',
    example: 'file:$CREDENTIALS_DIRECTORY/health-token',
  }),
});

// The keys of the Go runner, health, and a section for each backend.
const schema = z.strictObject({
  log: log.prefault({}),
  runner: runner.prefault({}),
  cache: cache.prefault({}),
  container: container.prefault({}),
  host: host.prefault({}),
  server: z.strictObject({ connections: z.record(z.string(), connection).default({}) }).prefault({}),
  health: health.prefault({}),
  plugins: z.record(z.string(), plugin).default({}),
  backend: z
    .record(
      z.string(),
      anything('Settings of one backend; its own documentation lists them', { expected: 'a mapping' }),
    )
    .default({}),
});

type Written = z.output<typeof schema>;

/** The schema of the configuration file, for what walks along its keys. */
export const configSchema: z.ZodType = schema;

/** What {@link readWritten} makes of a file: all of the configuration but its labels, or what is wrong with it. */
export type ReadConfig =
  | { readonly config: Omit<RunnerConfig, 'labels' | 'source'>; readonly issues?: undefined }
  | { readonly issues: readonly z.core.$ZodIssue[] };

/** Validates a file's values and fills in the defaults. */
export function readWritten(plain: unknown): ReadConfig {
  const read = schema.safeParse(plain);
  if (!read.success) return { issues: read.error.issues };
  const { log, host, server, health, plugins, backend } = read.data;
  const workdirParent = optional(host.workdir_parent);
  return {
    config: {
      log: { level: level(log.level), jobLevel: level(log.job_level) },
      runner: runnerSection(read.data.runner),
      cache: cacheSection(read.data.cache),
      container: containerSection(read.data.container),
      host: workdirParent === undefined ? {} : { workdirParent: resolve(workdirParent) },
      connections: new Map(Object.entries(server.connections).map(([name, one]) => [name, connectionSection(one)])),
      health: present({
        listen: optional(health.listen),
        token: optional(health.token),
        tokenUrl: optional(health.token_url),
      }),
      plugins: new Map(Object.entries(plugins).map(([name, one]) => [name, pluginSection(one)])),
      backends: new Map(Object.entries(backend)),
    },
  };
}

/** As the backend behind it reads it: only what the file says. */
function pluginSection(written: Written['plugins'][string]): PluginSection {
  const { insecure_tcp: isInsecure, workdir_parent: parent, ...read } = written;
  return {
    ...read,
    options: read.options ?? {},
    ...(isInsecure ? { insecure_tcp: true } : {}),
    ...(parent === '' ? {} : { workdir_parent: parent }),
  };
}

/** The Go runner's example writes settings that are not set as empty texts. */
function optional(text: string): string | undefined {
  return text === '' ? undefined : text;
}

/** `T` without its undefined members. */
type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Leaves out what is undefined, as `exactOptionalPropertyTypes` wants it. */
function present<T extends object>(values: T): Present<T> {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  // Exactly the members that may be undefined may be missing now.
  return Object.fromEntries(entries) as Present<T>;
}

function level(written: Written['log']['level']): LogLevel {
  return written === 'warning' ? 'warn' : written;
}

function runnerSection(read: Written['runner']): RunnerConfig['runner'] {
  return present({
    file: read.file || '.runner',
    // 0 is the Go runner's way to say "as by default".
    capacity: read.capacity || 1,
    labelCapacity: new Map(Object.entries(read.label_capacity)),
    envs: new Map(Object.entries(read.envs)),
    envFile: optional(read.env_file),
    timeoutMs: read.timeout || 3 * 3_600_000,
    shutdownTimeoutMs: read.shutdown_timeout,
    insecure: read.insecure,
    fetchTimeoutMs: read.fetch_timeout || 5000,
    fetchIntervalMs: read.fetch_interval || 2000,
    reportIntervalMs: read.report_interval || 1000,
    reportRetry: retrySection(read.report_retry),
    startupRetry: read.startup_retry && retrySection(read.startup_retry),
  });
}

function retrySection(read: Written['runner']['report_retry']): RetrySection {
  return { maxRetries: read.max_retries, initialDelayMs: read.initial_delay, maxDelayMs: read.max_delay };
}

function cacheSection(read: Written['cache']): RunnerConfig['cache'] {
  return present({
    enabled: read.enabled,
    dir: optional(read.dir),
    host: optional(read.host),
    port: read.port,
    proxyPort: read.proxy_port,
    externalServer: optional(read.external_server),
    secret: optional(read.secret),
    secretUrl: optional(read.secret_url),
    actionsCacheUrlOverride: optional(read.actions_cache_url_override),
    bind: optional(read.bind),
    tlsCert: optional(read.tls_cert),
    tlsKey: optional(read.tls_key),
    limits: {
      maxBytes: read.max_size || Infinity,
      maxRepositoryBytes: read.max_repository_size || Infinity,
      maxUnusedMs: read.max_unused || Infinity,
      maxAgeMs: read.max_age || Infinity,
    },
    s3: read.s3 && s3Section(read.s3),
  });
}

function s3Section(read: NonNullable<Written['cache']['s3']>): NonNullable<RunnerConfig['cache']['s3']> {
  return present({
    bucket: read.bucket,
    prefix: read.prefix.replaceAll(/^\/+|\/+$/g, ''),
    endpoint: optional(read.endpoint),
    region: read.region || 'us-east-1',
    accessKey: optional(read.access_key),
    secretKey: optional(read.secret_key),
    secretKeyUrl: optional(read.secret_key_url),
  });
}

function containerSection(read: Written['container']): RunnerConfig['container'] {
  return present({
    network: optional(read.network) ?? optional(read.network_mode),
    enableIpv6: read.enable_ipv6,
    privileged: read.privileged,
    options: read.options,
    workdirParent: read.workdir_parent || 'workspace',
    validVolumes: read.valid_volumes,
    dockerHost: read.docker_host || '-',
    forcePull: read.force_pull,
    forceRebuild: read.force_rebuild,
  });
}

type ReadConnection = Written['server']['connections'][string];
type Connection = RunnerConfig['connections'] extends ReadonlyMap<string, infer One> ? One : never;

function connectionSection(read: ReadConnection): Connection {
  return present({
    url: read.url,
    uuid: read.uuid,
    token: optional(read.token),
    tokenUrl: optional(read.token_url),
    caFile: optional(read.ca_file),
    codec: read.codec,
    fetchIntervalMs: read.fetch_interval,
  });
}
