import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type Backend,
  type EnvironmentRequest,
  type ExecRequest,
  type ExecResult,
  type ExecutionEnvironment,
  type JobContainerSpec,
  parseLabel,
  type ServiceContainerSpec,
  type Target,
} from '@forgejo-runner/core';
import { factory, labelKeys } from '@forgejo-runner/backend-docker';
import { callContext, type TestContext } from '@forgejo-runner/testkit';

/** The engine that the tests of this package work on. */
export const socketPath = '/var/run/docker.sock';

/** Whether there is an engine; in CI there has to be one, so that nothing is left out in silence. */
export const hasEngine: boolean = process.env['CI'] !== undefined || answers();

function answers(): boolean {
  try {
    docker('version');
    return true;
  } catch {
    return false;
  }
}

/** Runs the engine's own client, as a witness from outside. */
export function docker(...args: readonly string[]): string {
  return execFileSync('docker', ['-H', `unix://${socketPath}`, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  }).trim();
}

export interface ImageRecipe {
  /** Names of programs of busybox; `sh` is one of them. */
  readonly programs?: readonly string[];
  /** Programs of this machine, with the libraries that they need. */
  readonly binaries?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  readonly links?: Readonly<Record<string, string>>;
  /** Instructions such as `USER runner`. */
  readonly changes?: readonly string[];
}

const allPrograms =
  'sh ls ln id cat echo true false env sleep setsid ps mkdir rm touch stat dd kill nc wget httpd test printf head wc sync'.split(
    ' ',
  );
const users = 'root:x:0:0:root:/root:/bin/sh\nrunner:x:1000:1001:Runner:/home/runner:/bin/sh\n';

/** Makes an image without any registry. The name says what is in it, so a second call does nothing. */
export function makeImage(name: string, recipe: ImageRecipe = {}): string {
  const tag = `forgejo-runner-jobs-test/${name}:1`;
  const root = mkdtempSync(path.join(tmpdir(), 'docker-image-'));
  try {
    for (const folder of ['bin', 'etc', 'tmp', 'run', 'var', 'root'])
      mkdirSync(path.join(root, folder), { recursive: true });
    chmodSync(path.join(root, 'tmp'), 0o1777);
    symlinkSync('../run', path.join(root, 'var/run'));
    writeFileSync(path.join(root, 'etc/passwd'), users);
    writeFileSync(path.join(root, 'etc/group'), 'root:x:0:\nrunner:x:1001:\ndocker:x:998:runner\n');
    copyFileSync('/bin/busybox', path.join(root, 'bin/busybox'));
    for (const program of recipe.programs ?? allPrograms) symlinkSync('busybox', path.join(root, 'bin', program));
    for (const [file, content] of Object.entries(recipe.files ?? {})) {
      mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
      writeFileSync(path.join(root, file), content, { mode: 0o755 });
    }
    for (const [link, to] of Object.entries(recipe.links ?? {})) symlinkSync(to, path.join(root, link));
    for (const binary of recipe.binaries ?? []) addBinary(root, binary);
    const changes = (recipe.changes ?? []).flatMap((change) => ['--change', change]);
    const tar = execFileSync('tar', ['-C', root, '-c', '--owner=0', '--group=0', '.'], { maxBuffer: 64 * 1024 * 1024 });
    execFileSync('docker', ['-H', `unix://${socketPath}`, 'import', ...changes, '-', tag], {
      input: tar,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  } finally {
    rmSync(root, { recursive: true });
  }
  return tag;
}

function addBinary(root: string, binary: string): void {
  const libraries = execFileSync('ldd', [binary], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g);
  for (const file of [binary, ...[...libraries].map(([, found = '']) => found)]) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    copyFileSync(file, path.join(root, file));
  }
}

export interface Bench {
  readonly backend: Backend;
  readonly owner: { readonly runner: string; readonly boot: string };
  readonly create: (
    rest?: Partial<Omit<EnvironmentRequest, 'label'>> & { readonly label?: string },
    ctx?: TestContext,
  ) => Promise<ExecutionEnvironment>;
}

let made = 0;

/** A name that no other test has. */
export function newName(): string {
  made += 1;
  return `test-${process.pid}-${made}-${Math.random().toString(36).slice(2, 8)}`;
}

/** A backend like the runner opens it. `boot` stands for one start of the process. */
export async function openBench(
  image: string,
  config: object = {},
  owner: Bench['owner'] = { runner: `runner-${newName()}`, boot: 'boot-1' },
): Promise<Bench> {
  const read = await factory.configSchema['~standard'].validate({ endpoint: `unix://${socketPath}`, ...config });
  if (read.issues !== undefined) throw new Error(JSON.stringify(read.issues));
  const stateDir = mkdtempSync(path.join(tmpdir(), 'docker-state-'));
  const backend = await factory.create(
    { config: read.value, owner, stateDir, apiVersion: '1.0.0', addMask: () => {} },
    callContext(),
  );
  return {
    backend,
    owner,
    create: async (request = {}, ctx = callContext()) => {
      const { label = `test:docker://${image}`, ...rest } = request;
      const resolved = await backend.resolveLabel(parseLabel(label), callContext());
      return backend.createEnvironment(
        {
          name: newName(),
          task: { id: '1', attempt: 1, repository: 'acme/app', workflow: 'w', job: 'j' },
          owner,
          plan: { services: [], stepContainers: 'unknown' },
          expiresAt: Date.now() + 3_600_000,
          ...rest,
          label: resolved,
        },
        ctx,
      );
    },
  };
}

export interface ShellRun {
  readonly result: ExecResult;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script in a target and collects what it says. */
export async function sh(
  target: Target | undefined,
  script: string,
  rest: Partial<ExecRequest> & { readonly signal?: AbortSignal } = {},
): Promise<ShellRun> {
  if (target === undefined) throw new Error('expected a target');
  const { signal, ...request } = rest;
  let stdout = '';
  let stderr = '';
  const handle = target.exec(
    {
      argv: ['/bin/sh', '-c', script],
      env: target.baseEnv,
      cwd: '/',
      stdout: (chunk) => void (stdout += Buffer.from(chunk).toString()),
      stderr: (chunk) => void (stderr += Buffer.from(chunk).toString()),
      ...request,
    },
    callContext(signal),
  );
  return { result: await handle.result, stdout, stderr };
}

const base = { pull: 'never', env: {}, mounts: [], ports: [], options: {} } as const;
const noCheck = { test: 'none', intervalMs: 0, timeoutMs: 0, retries: 0, startPeriodMs: 0 } as const;

export function jobSpec(image: string, rest: Partial<JobContainerSpec> = {}): JobContainerSpec {
  return { ...base, kind: 'job', image, ...rest };
}

export function serviceSpec(image: string, rest: Partial<ServiceContainerSpec> = {}): ServiceContainerSpec {
  return { ...base, kind: 'service', image, id: 'db', aliases: [], healthcheck: noCheck, ...rest };
}

/** Everything of one runner that the engine has, seen by its own client. */
export function inventory(runner: string): readonly string[] {
  const filter = ['--filter', `label=${labelKeys.runner}=${runner}`];
  return [
    ...docker('ps', '-a', '-q', ...filter)
      .split('\n')
      .map((id) => `container ${id}`),
    ...docker('network', 'ls', '-q', ...filter)
      .split('\n')
      .map((id) => `network ${id}`),
    ...docker('volume', 'ls', '-q', ...filter)
      .split('\n')
      .map((id) => `volume ${id}`),
  ].filter((line) => !line.endsWith(' '));
}
