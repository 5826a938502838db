import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { X509Certificate } from 'node:crypto';
import type { Backend, Capabilities, EnvironmentRequest, JobPlan } from '@forgejo-runner/core';
import { parseLabel } from '@forgejo-runner/core';
import {
  callContext,
  captureOutput,
  openTempFolder,
  referenceBackend,
  type ReferenceBackend,
  type TempFolder,
} from '@forgejo-runner/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { factory, serveBackend, type ServeOptions } from '../src/index.ts';

const owner = { runner: 'runner', boot: 'boot' };
let stack: AsyncDisposableStack;
let folder: TempFolder;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  folder = stack.use(await openTempFolder('forgejo-runner-grpc-'));
});

afterEach(() => stack.disposeAsync());

async function serve(reference: ReferenceBackend, options: Partial<ServeOptions> = {}): Promise<string> {
  const address = `unix://${folder.join('plugin.sock')}`;
  const server = await serveBackend(reference.factory, { address, stateDir: folder.path, ...options });
  stack.use(server);
  return server.address;
}

async function open(config: object): Promise<Backend> {
  const read = await factory.configSchema['~standard'].validate(config);
  if (read.issues !== undefined) throw new Error(JSON.stringify(read.issues));
  const input = { config: read.value, owner, stateDir: folder.path, apiVersion: '1.0.0', addMask: () => {} };
  return stack.use(await factory.create(input, callContext()));
}

async function requestFor(backend: Backend, plan: Partial<JobPlan> = {}): Promise<EnvironmentRequest> {
  return {
    name: 'env-1',
    task: { id: '1', attempt: 1, repository: 'o/r', workflow: 'w', job: 'j' },
    owner,
    label: await backend.resolveLabel(parseLabel('test:grpc'), callContext()),
    plan: { services: [], stepContainers: 'none', ...plan },
    expiresAt: Date.now() + 60_000,
  };
}

async function says(backend: Backend): Promise<string> {
  const environment = await backend.createEnvironment(await requestFor(backend), callContext());
  const out = captureOutput();
  const handle = environment.target?.exec(
    {
      argv: ['echo', 'hello'],
      env: environment.target.baseEnv,
      cwd: environment.info.paths.workspace,
      stdout: out.sink,
      stderr: out.sink,
    },
    callContext(),
  );
  await handle?.result;
  await environment.remove(callContext());
  return out.text();
}

describe('a socket', () => {
  it('is for its user alone', async () => {
    await serve(referenceBackend());
    expect(statSync(folder.join('plugin.sock')).mode & 0o777).toBe(0o600);
  });

  it('may lie in a folder of any name', async () => {
    await folder.write({ 'größe 名前 x/.keep': '' });
    const address = await serve(referenceBackend(), { address: `unix://${folder.join('größe 名前 x', 'p.sock')}` });
    expect(await says(await open({ address }))).toBe('hello\n');
  });

  it('that a dead server left is replaced, that of a living one is not', async () => {
    const path = folder.join('plugin.sock');
    const killed = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    expect(() => execFileSync(process.execPath, ['-e', killed], { stdio: 'ignore' })).toThrow('Command failed');
    expect(existsSync(path)).toBe(true);
    const address = await serve(referenceBackend());
    await expect(serveBackend(referenceBackend().factory, { address, stateDir: folder.path })).rejects.toThrow(
      'another server listens',
    );
    expect(await says(await open({ address }))).toBe('hello\n');
  });

  it('takes no place of a file', async () => {
    writeFileSync(folder.join('plugin.sock'), 'precious');
    await expect(serve(referenceBackend())).rejects.toThrow('one that is no socket');
    expect(readFileSync(folder.join('plugin.sock'), 'utf8')).toBe('precious');
  });
});

describe('a port', () => {
  const local = '127.0.0.1:0';

  it('is neither served nor dialled without TLS, unless that is asked for', async () => {
    await expect(serve(referenceBackend(), { address: local })).rejects.toMatchObject({ code: 'config' });
    const address = await serve(referenceBackend(), { address: local, insecureTcp: true });
    await expect(open({ address })).rejects.toMatchObject({
      code: 'config',
      details: { hint: expect.stringContaining('insecure_tcp') },
    });
    expect(await says(await open({ address, insecure_tcp: true }))).toBe('hello\n');
  });

  it('with certificates lets in who shows one of the authority', async () => {
    const keys = makeKeys(folder);
    const address = await serve(referenceBackend(), { address: local, tls: { ...keys.server, ca: keys.ca } });
    expect(await says(await open({ address, tls: { ...keys.client, ca: keys.ca, server_name: 'plugin' } }))).toBe(
      'hello\n',
    );
    await expect(open({ address, tls: { ca: keys.ca, server_name: 'plugin' } })).rejects.toMatchObject({
      code: 'unavailable',
    });
    await expect(
      open({ address, tls: { ...keys.stranger, ca: keys.ca, server_name: 'plugin' } }),
    ).rejects.toMatchObject({ code: 'unavailable' });
    await expect(open({ address, tls: { ...keys.client, ca: keys.ca } })).rejects.toThrow(/127\.0\.0\.1|altnames/);
    await expect(open({ address, tls: keys.client })).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('with pinned certificates lets in these, and talks to these only', async () => {
    const keys = makeKeys(folder);
    const [ofClient, ofServer] = [fingerprint(keys.client.cert), fingerprint(keys.server.cert)];
    const address = await serve(referenceBackend(), { address: local, tls: { ...keys.server, pinned: [ofClient] } });
    expect(await says(await open({ address, tls: { ...keys.client, pinned: [ofServer] } }))).toBe('hello\n');
    await expect(open({ address, tls: { ...keys.client, pinned: [ofClient] } })).rejects.toThrow(
      'expected the certificate of a pinned peer',
    );
    await expect(open({ address, tls: { ...keys.stranger, pinned: [ofServer] } })).rejects.toMatchObject({
      code: 'unavailable',
    });
    await expect(open({ address, tls: { pinned: [ofServer] } })).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('is not served to everybody by TLS that knows nobody', async () => {
    const { server } = makeKeys(folder);
    await expect(serve(referenceBackend(), { address: local, tls: server })).rejects.toThrow('expected ca or pinned');
  });

  it('where somebody accepts and says nothing is out of reach, in time', async () => {
    const mute = createServer().listen(0, '127.0.0.1');
    stack.defer(() => void mute.close());
    await once(mute, 'listening');
    const found = mute.address();
    const port = typeof found === 'object' ? found?.port : undefined;
    await expect(open({ address: `127.0.0.1:${port}`, insecure_tcp: true })).rejects.toMatchObject({
      code: 'unavailable',
    });
  });
});

describe('what a backend can do', () => {
  const everything: Capabilities['containers'] = {
    via: 'native',
    job: true,
    services: true,
    steps: true,
    build: true,
    fields: ['env', 'ports', 'volumes', 'credentials', 'healthcheck', 'memory', 'cmd', 'entrypoint'],
  };
  const spec = {
    image: 'img',
    pull: 'always',
    env: { A: '1' },
    mounts: [{ source: 'a', target: '/a', readOnly: true }],
    ports: [{ container: 80, host: 8080, protocol: 'tcp' }],
    credentials: { username: 'u', password: 'p' },
    options: { memory: 1024 },
  } as const;

  it('arrives as it is: containers of every kind, with every field', async () => {
    const reference = referenceBackend({ capabilities: { containers: everything } });
    const backend = await open({ address: await serve(reference) });
    const job = { ...spec, kind: 'job', entrypoint: [] } as const;
    const service = {
      ...spec,
      kind: 'service',
      id: 'db',
      aliases: ['db'],
      cmd: ['x', ''],
      healthcheck: { test: ['true'], intervalMs: 1500, timeoutMs: 2, retries: 3, startPeriodMs: 0 },
    } as const;
    const step = {
      ...spec,
      kind: 'step',
      stepId: 's1',
      workdir: '/w',
      cmd: ['sh', '-c', 'echo from the step; exit 3'],
    } as const;
    const request = await requestFor(backend, { jobContainer: job, services: [service], stepContainers: 'build' });
    expect(request.label.capabilities.containers).toEqual(everything);
    const environment = await backend.createEnvironment(request, callContext());
    expect(detailOf(reference, 'createEnvironment')).toMatchObject({
      name: 'env-1',
      owner,
      task: request.task,
      plan: request.plan,
      expiresAt: request.expiresAt,
    });
    const container = await environment.createJobContainer?.(job, callContext());
    expect(detailOf(reference, 'createJobContainer')).toEqual(job);
    const db = await environment.createServiceContainer?.(service, callContext());
    expect(detailOf(reference, 'createServiceContainer')).toEqual(service);
    await db?.waitReady(callContext());
    const one = await environment.createStepContainer?.(step, callContext());
    const out = captureOutput();
    expect(await one?.run({ stdout: out.sink, stderr: out.sink }, callContext()).result).toEqual({
      kind: 'exited',
      code: 3,
    });
    expect(out.text()).toBe('from the step\n');
    const told = captureOutput();
    const built = await environment.buildImage?.(
      { context: contextOf(700_000), dockerfile: 'Dockerfile', tag: 'tag', buildArgs: { B: '2' }, output: told.sink },
      callContext(),
    );
    expect([built, told.text()]).toEqual([{ image: 'tag' }, 'built tag\n']);
    expect(detailOf(reference, 'buildImage')).toEqual({
      dockerfile: 'Dockerfile',
      tag: 'tag',
      buildArgs: { B: '2' },
      contextBytes: 700_000,
    });
    for (const made of [one, db, container]) expect((await made?.remove(callContext()))?.leaked).toEqual([]);
    expect((await environment.remove(callContext())).leaked).toEqual([]);
    expect(reference.environments()).toEqual([]);
  });

  it('that fails, fails as it would without a wire between', async () => {
    const reference = referenceBackend({ faults: { create: { code: 'capacity' } } });
    const backend = await open({ address: await serve(reference) });
    await expect(backend.createEnvironment(await requestFor(backend), callContext())).rejects.toMatchObject({
      code: 'capacity',
    });
    expect(reference.environments()).toEqual([]);
  });

  it('takes no options of a runner that it would have to ignore', async () => {
    const address = await serve(referenceBackend());
    await expect(open({ address, options: { project: 'ci' } })).rejects.toMatchObject({ code: 'config' });
  });

  it('ends with the server: no environment is left', async () => {
    const reference = referenceBackend();
    const server = await serveBackend(reference.factory, {
      address: `unix://${folder.join('other.sock')}`,
      stateDir: folder.path,
    });
    const backend = await open({ address: server.address });
    await backend.createEnvironment(await requestFor(backend), callContext());
    expect(reference.environments()).toEqual(['env-1']);
    await server[Symbol.asyncDispose]();
    expect([reference.environments(), existsSync(folder.join('other.sock'))]).toEqual([[], false]);
  });
});

async function* contextOf(bytes: number): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(bytes);
}

function detailOf({ log }: ReferenceBackend, method: string): unknown {
  return log.find((call) => call.method === method)?.detail;
}

function fingerprint(file: string): string {
  return new X509Certificate(readFileSync(file)).fingerprint256;
}

interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** An authority, a server and a client of it, and a stranger. */
function makeKeys({ path, join }: TempFolder): {
  readonly ca: string;
  readonly server: Pair;
  readonly client: Pair;
  readonly stranger: Pair;
} {
  const openssl = (...args: readonly string[]): void =>
    void execFileSync('openssl', args, { cwd: path, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const pair = (name: string): Pair => ({ cert: join(`${name}.pem`), key: join(`${name}.key`) });
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=ca');
  for (const name of ['server', 'client']) {
    openssl('req', ...key.slice(0, 5), '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    writeFileSync(join(`${name}.ext`), 'subjectAltName=DNS:plugin\n');
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.pem`,
    );
  }
  openssl('req', '-x509', ...key, '-keyout', 'stranger.key', '-out', 'stranger.pem', '-subj', '/CN=stranger');
  return { ca: join('ca.pem'), server: pair('server'), client: pair('client'), stranger: pair('stranger') };
}
