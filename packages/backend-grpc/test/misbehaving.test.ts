import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { once } from 'node:events';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import type { Backend, EnvironmentRequest, ExecResult, ExecutionEnvironment } from '@forgejo-runner/core';
import { parseLabel } from '@forgejo-runner/core';
import { callContext, captureOutput, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openGrpcBackend } from '../src/backend.ts';
import { BackendService, type ExecRequest, Stream } from '../src/gen/forgejo/runner/backend/v1/backend_pb.ts';
import { BackendPlugin } from '../src/gen/plugin/v1alpha/plugin_pb.ts';
import { defaultLimits } from '../src/limits.ts';

type Service = ServiceImpl<typeof BackendService>;
type AlphaService = ServiceImpl<typeof BackendPlugin>;

// Short, so that who never answers fails in a moment.
const limits = {
  ...defaultLimits,
  connectMs: 2000,
  answerMs: 1000,
  removeMs: 1000,
  silentMs: 1500,
  resumeMs: 500,
  stopMs: 500,
  endMs: 500,
};
let stack: AsyncDisposableStack;
let folder: TempFolder;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  folder = stack.use(await openTempFolder('forgejo-runner-grpc-'));
});

afterEach(() => stack.disposeAsync());

async function listen(routes: Parameters<typeof connectNodeAdapter>[0]['routes']): Promise<string> {
  const server: Http2Server = createServer(
    connectNodeAdapter({ routes, connect: false, grpcWeb: false, acceptCompression: [] }),
  );
  const sessions = new Set<{ destroy: () => void }>();
  server.on('session', (session) => void sessions.add(session));
  stack.defer(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const path = folder.join('plugin.sock');
  server.listen(path);
  await once(server, 'listening');
  return `unix://${path}`;
}

async function open(address: string): Promise<Backend> {
  const config = { address, options: {}, insecure_tcp: false, workdir_parent: '/workspace' };
  const input = { owner: { runner: 'runner', boot: 'boot' }, stateDir: folder.join('state') };
  return stack.use(await openGrpcBackend(config, input, callContext(), limits));
}

const info = {
  os: 'Linux',
  arch: 'X64',
  workspace: '/w',
  temp: '/t',
  toolCache: '/c',
  runner: '/r',
  home: '/h',
  defaultPath: '/bin',
};

/** What behaves well unless a test says otherwise. */
const good: Partial<Service> = {
  describe: () => ({ name: 'test', protocolMinor: 0 }),
  getHealth: () => ({ status: 'ok' }),
  resolveLabel: () => ({ capabilities: { execSignals: true } }),
  async *createEnvironment({ name }) {
    yield { event: { case: 'accepted', value: { environment: name } } };
    yield { event: { case: 'ready', value: { info, hasTarget: true } } };
  },
  getState: () => ({ alive: true }),
  remove: () => ({}),
  sweep: () => ({}),
};

async function requestFor(backend: Backend): Promise<EnvironmentRequest> {
  return {
    name: 'env-1',
    task: { id: '1', attempt: 1, repository: 'o/r', workflow: 'w', job: 'j' },
    owner: { runner: 'runner', boot: 'boot' },
    label: await backend.resolveLabel(parseLabel('test:grpc'), callContext()),
    plan: { services: [], stepContainers: 'none' },
    expiresAt: Date.now() + 60_000,
  };
}

async function create(over: Partial<Service>): Promise<ExecutionEnvironment> {
  const backend = await open(await listen((router) => void router.service(BackendService, { ...good, ...over })));
  return backend.createEnvironment(await requestFor(backend), callContext());
}

async function exec(
  environment: ExecutionEnvironment,
  signal?: AbortSignal,
): Promise<{ readonly result: ExecResult; readonly out: string }> {
  const out = captureOutput();
  const request = {
    argv: ['true'] as const,
    env: {},
    cwd: '/w',
    stdout: out.sink,
    stderr: out.sink,
    stop: [{ signal: 'SIGKILL', graceMs: 0 }],
  };
  const handle = environment.target?.exec(request, callContext(signal));
  if (handle === undefined) throw new Error('expected a target');
  return { result: await handle.result, out: out.text() };
}

async function idOf(requests: AsyncIterable<ExecRequest>): Promise<string> {
  for await (const { input } of requests) if (input.case === 'start') return input.value.execId;
  return '';
}

const started = (execId: string) => ({ output: { case: 'started', value: { execId } } }) as const;
const data = (text: string, offset = 0) =>
  ({
    output: { case: 'data', value: { stream: Stream.STDOUT, data: Buffer.from(text), offset: BigInt(offset) } },
  }) as const;
const end = { output: { case: 'end', value: { how: { case: 'exited', value: 0 } } } } as const;
const fine: AlphaService['exec'] = async function* () {
  yield { Output: { case: 'execComplete', value: { exitCode: 0 } } };
};
const forever = (signal: AbortSignal): Promise<unknown> => once(signal, 'abort');

/** A stream that fails before its first message. */
function failing(error: Error): AsyncIterable<never> {
  const next = async (): Promise<never> => {
    throw error;
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

/** A stream without a word, until its call is cancelled. */
function mute(signal: AbortSignal): AsyncIterable<never> {
  return {
    [Symbol.asyncIterator]: () => ({ next: () => forever(signal).then(() => ({ done: true, value: undefined })) }),
  };
}

describe('an exec of a plugin that', () => {
  const cases: Readonly<Record<string, readonly [Service['exec'], string]>> = {
    'ends the stream early': [
      async function* (requests) {
        yield started(await idOf(requests));
        yield data('half');
      },
      'lost',
    ],
    'ends with a status in the midst': [
      async function* (requests) {
        yield started(await idOf(requests));
        throw new ConnectError('gone', Code.Unavailable);
      },
      'lost',
    ],
    'goes on after the end': [
      async function* (requests) {
        yield started(await idOf(requests));
        yield end;
        yield data('more');
      },
      'internal',
    ],
    'answers for another exec': [
      async function* () {
        yield started('another');
        yield end;
      },
      'internal',
    ],
    'says nothing of a start': [
      async function* () {
        yield data('x');
        yield end;
      },
      'internal',
    ],
    'leaves out output': [
      async function* (requests) {
        yield started(await idOf(requests));
        yield data('x', 100);
        yield end;
      },
      'internal',
    ],
    'ends without saying how': [
      async function* (requests) {
        yield started(await idOf(requests));
        yield { output: { case: 'end', value: {} } };
      },
      'internal',
    ],
    'says stopped though nobody asked': [
      async function* (requests) {
        yield started(await idOf(requests));
        yield { output: { case: 'end', value: { how: { case: 'stoppedSurvivors', value: 0 } } } };
      },
      'internal',
    ],
    'sends a huge message': [
      async function* (requests) {
        yield started(await idOf(requests));
        yield data('x'.repeat(8_000_000));
        yield end;
      },
      'internal',
    ],
    'never answers': [(_, { signal }) => mute(signal), 'lost'],
    'falls silent': [
      async function* (requests, { signal }) {
        yield started(await idOf(requests));
        await forever(signal);
      },
      'lost',
    ],
    'does not know the environment': [() => failing(new ConnectError('who?', Code.NotFound)), 'lost'],
    'knows no execs': [() => failing(new ConnectError('no', Code.Unimplemented)), 'unsupported'],
  };

  it.each(Object.entries(cases))('%s fails, with the reason', async (_, [behave, code]) => {
    const environment = await create({ exec: behave });
    await expect(exec(environment)).rejects.toMatchObject({ code, message: expect.stringMatching(/plugin at unix:/) });
    // The plugin is asked on: one bad exec is no reason to give up the others.
    expect(await environment.state(callContext())).toEqual({ alive: true });
  });

  it('does not stop is given up when its time is over', async () => {
    const stop = new AbortController();
    const environment = await create({
      exec: async function* (requests, { signal }) {
        yield started(await idOf(requests));
        stop.abort();
        await forever(signal);
      },
    });
    await expect(exec(environment, stop.signal)).rejects.toMatchObject({
      code: 'lost',
      message: expect.stringContaining('did not stop'),
    });
  });

  it('sends what a later minor version adds is understood all the same', async () => {
    const environment = await create({
      exec: async function* (requests) {
        yield started(await idOf(requests));
        yield { output: { case: undefined } };
        yield data('fine');
        yield end;
      },
    });
    expect(await exec(environment)).toEqual({ result: { kind: 'exited', code: 0 }, out: 'fine' });
  });
});

describe('a boot of a plugin that', () => {
  const accepted = { event: { case: 'accepted', value: { environment: 'env-1' } } } as const;
  const ready = { event: { case: 'ready', value: { info, hasTarget: true } } } as const;
  const cases: Readonly<Record<string, readonly [Service['createEnvironment'], string]>> = {
    'never answers': [(_, { signal }) => mute(signal), 'timeout'],
    'ends before it is ready': [
      async function* () {
        yield accepted;
      },
      'unavailable',
    ],
    'was not accepted': [
      async function* () {
        yield ready;
      },
      'internal',
    ],
    'names no environment': [
      async function* () {
        yield { event: { case: 'accepted', value: {} } };
        yield ready;
      },
      'internal',
    ],
    'goes on after it is ready': [
      async function* () {
        yield accepted;
        yield ready;
        yield ready;
      },
      'internal',
    ],
    'tells no paths': [
      async function* () {
        yield accepted;
        yield { event: { case: 'ready', value: { hasTarget: true } } };
      },
      'internal',
    ],
    'has no room': [() => failing(new ConnectError('full', Code.ResourceExhausted)), 'capacity'],
  };

  it.each(Object.entries(cases))('%s fails, with the reason, and is removed', async (name, [behave, code]) => {
    const removed: string[] = [];
    const making = create({
      createEnvironment: behave,
      remove: ({ target }) => {
        removed.push(target?.environment ?? '');
        return {};
      },
    });
    await expect(making).rejects.toMatchObject({ code, message: expect.stringMatching(/plugin at unix:/) });
    // What was refused at once may be the name of somebody else.
    expect(removed).toEqual(name === 'has no room' ? [] : ['env-1']);
  });
});

describe('a copy of a plugin that', () => {
  it('ends early is no whole archive', async () => {
    const environment = await create({
      copyOut: async function* () {
        yield { data: new Uint8Array(1024) };
      },
    });
    const reading = Array.fromAsync(environment.target?.copyOut({ src: '/w/x' }, callContext()) ?? []);
    await expect(reading).rejects.toMatchObject({ code: 'lost' });
  });
});

describe('a removal of a plugin that', () => {
  it('never answers is reported as a leak, in its time', async () => {
    const environment = await create({ remove: (_, { signal }) => forever(signal).then(() => ({})) });
    expect(await environment.remove(callContext())).toEqual({
      removed: [],
      leaked: [{ resource: 'env-1', error: expect.any(String) as string }],
    });
  });
});

describe('a server', () => {
  it('of another minor version is refused when it is dialled', async () => {
    const address = await listen(
      (router) => void router.service(BackendService, { ...good, describe: () => ({ protocolMinor: 7 }) }),
    );
    await expect(open(address)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('minor version 7'),
    });
  });

  it('of neither protocol is refused when it is dialled', async () => {
    await expect(open(await listen(() => {}))).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('speaks neither'),
    });
  });
});

describe('a plugin of the Go runner', () => {
  const made = {
    environmentId: 'e1',
    rootPath: '/root',
    actPath: '/root/act',
    toolCachePath: '/root/tools',
    tempPath: '/root/tmp',
    os: 'linux',
    arch: 'x86_64',
  };
  const alpha: Partial<AlphaService> = {
    capabilities: () => ({ name: 'lxd' }),
    create: () => made,
    async *start() {
      yield { Output: { case: 'data', value: { data: Buffer.from('booting\n') } } };
      yield { Output: { case: 'startComplete', value: { imageEnv: { PATH: '/image/bin' } } } };
    },
    async *exec({ command }) {
      yield { Output: { case: 'data', value: { data: Buffer.from(command.join(' ')) } } };
      yield { Output: { case: 'execComplete', value: { exitCode: 3 } } };
    },
    remove: () => ({}),
  };
  const openAlpha = async (over: Partial<AlphaService>): Promise<Backend> =>
    open(await listen((router) => void router.service(BackendPlugin, { ...alpha, exec: fine, ...over })));

  it('runs jobs as it is', async () => {
    const asked: unknown[] = [];
    const backend = await openAlpha({
      create: ({ image, labelArg, services, environmentTimeout }) => {
        asked.push({
          image,
          labelArg,
          services: services.map(({ name, ports }) => ({ name, ports })),
          hasTimeout: environmentTimeout !== undefined,
        });
        return made;
      },
    });
    const label = await backend.resolveLabel(parseLabel('test:grpc://debian:12'), callContext());
    const ctx = callContext();
    const environment = await backend.createEnvironment({ ...(await requestFor(backend)), label }, ctx);
    expect(asked).toEqual([{ image: '', labelArg: 'debian:12', services: [], hasTimeout: true }]);
    expect(ctx.progressed.text()).toBe('booting\n');
    expect(environment.info).toMatchObject({
      os: 'Linux',
      arch: 'X64',
      paths: { workspace: '/workspace/o/r', runner: '/root/act', temp: '/root/tmp' },
    });
    expect(environment.target?.baseEnv).toMatchObject({ PATH: '/image/bin' });
    expect((await environment.remove(callContext())).leaked).toEqual([]);
  });

  it('of the first draft, with its paths in the capabilities, runs them as well', async () => {
    const draft = Buffer.concat([
      text(1, 'old'),
      text(2, '/d'),
      text(3, '/d/act'),
      text(4, '/d/tools'),
      text(9, 'linux'),
      text(10, 'amd64'),
      text(11, '/d/tmp'),
    ]);
    const raw = await rawServer({
      Capabilities: [draft],
      Create: [text(1, 'e1')],
      Start: [text(1, Buffer.concat([text(1, 'PATH'), text(2, '/old/bin')]))],
      // stdout, stderr, then the end.
      Exec: [text(2, 'out'), Buffer.concat([Buffer.from([8, 1]), text(2, 'err')]), Buffer.from([24, 0, 32, 1])],
      Remove: [Buffer.alloc(0)],
    });
    const backend = await open(raw);
    const environment = await backend.createEnvironment(await requestFor(backend), callContext());
    expect(environment.info).toMatchObject({
      os: 'Linux',
      arch: 'X64',
      paths: { runner: '/d/act', toolCache: '/d/tools', temp: '/d/tmp' },
    });
    expect(environment.target?.baseEnv).toMatchObject({ PATH: '/old/bin' });
    expect(await exec(environment)).toEqual({ result: { kind: 'exited', code: 0 }, out: 'outerr' });
  });

  it('of a later draft, with its system in the capabilities, too', async () => {
    const draft = Buffer.concat([
      text(1, 'old'),
      text(2, 'PATH'),
      text(3, '/usr/bin'),
      text(4, ':'),
      text(6, 'linux'),
      text(7, 'arm64'),
    ]);
    const { os: _, arch: __, ...paths } = made;
    const created = Buffer.concat(Object.values(paths).map((value, at) => text(at + 1, value)));
    const complete = (code: number): Buffer => text(2, Buffer.from([8, code]));
    const raw = await rawServer({
      Capabilities: [draft],
      Create: [created],
      Start: [text(2, Buffer.alloc(0))],
      Exec: [complete(0)],
      Remove: [Buffer.alloc(0)],
    });
    const backend = await open(raw);
    const environment = await backend.createEnvironment(await requestFor(backend), callContext());
    expect(environment.info).toMatchObject({
      os: 'Linux',
      arch: 'ARM64',
      paths: { runner: '/root/act' },
      env: { defaultPath: '/usr/bin' },
    });
  });

  it('that tells no paths is refused, and what it made is removed', async () => {
    const removed: string[] = [];
    const backend = await openAlpha({
      create: () => ({ environmentId: 'e1' }),
      remove: ({ environmentId }) => {
        removed.push(environmentId);
        return {};
      },
    });
    await expect(backend.createEnvironment(await requestFor(backend), callContext())).rejects.toMatchObject({
      code: 'unsupported',
    });
    expect(removed).toEqual(['e1']);
  });

  const execs: Readonly<Record<string, readonly [AlphaService['exec'], string]>> = {
    'ends a stream early': [
      async function* () {
        yield { Output: { case: 'data', value: { data: Buffer.from('x') } } };
      },
      'lost',
    ],
    'goes on after the end': [
      async function* () {
        yield { Output: { case: 'execComplete', value: {} } };
        yield { Output: { case: 'execComplete', value: {} } };
      },
      'internal',
    ],
    'sends nothing at all': [
      async function* () {
        yield {};
      },
      'internal',
    ],
    'could not run it': [
      async function* () {
        yield { Output: { case: 'execFailed', value: { errorMessage: 'no such user' } } };
      },
      'plan',
    ],
    'forgot the environment': [() => failing(new ConnectError('who?', Code.NotFound)), 'lost'],
  };

  it.each(Object.entries(execs))('that %s fails the exec, with the reason', async (_, [behave, code]) => {
    let calls = 0;
    const backend = await openAlpha({
      exec: (request, context) => (calls++ === 0 ? fine(request, context) : behave(request, context)),
    });
    const environment = await backend.createEnvironment(await requestFor(backend), callContext());
    await expect(exec(environment)).rejects.toMatchObject({ code });
  });

  it('has what a killed runner left removed by the next one, from its journal', async () => {
    const removed: string[] = [];
    const backend = await openAlpha({
      remove: ({ environmentId }) => {
        removed.push(environmentId);
        return {};
      },
    });
    await backend.createEnvironment(await requestFor(backend), callContext());
    const next = await open(`unix://${folder.join('plugin.sock')}`);
    const request = {
      owner: { runner: 'runner', boot: 'later' },
      keep: [],
      otherBoots: 'remove',
      dryRun: true,
    } as const;
    expect((await next.sweep(request, callContext())).removed).toEqual(['e1']);
    expect(removed).toEqual([]);
    expect((await next.sweep({ ...request, dryRun: false }, callContext())).removed).toEqual(['e1']);
    expect((await next.sweep({ ...request, dryRun: false }, callContext())).removed).toEqual([]);
    expect(removed).toEqual(['e1']);
  });

  it('is asked for nothing that its protocol would leave out', async () => {
    const backend = await openAlpha({});
    await expect(backend.resolveLabel(parseLabel('test:grpc://x?cpu=4'), callContext())).rejects.toMatchObject({
      code: 'label',
    });
    const base = await requestFor(backend);
    const jobContainer = {
      kind: 'job',
      image: 'img',
      pull: 'missing',
      env: {},
      mounts: [],
      ports: [{ container: 80, protocol: 'tcp' }],
      options: {},
    } as const;
    const making = backend.createEnvironment({ ...base, plan: { ...base.plan, jobContainer } }, callContext());
    await expect(making).rejects.toMatchObject({ code: 'unsupported' });
  });
});

/** A field of text or bytes. */
function text(number: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}

/** A server of plugin.v1alpha that answers with these bytes, whatever it is asked. */
async function rawServer(answers: Readonly<Record<string, readonly Buffer[]>>): Promise<string> {
  const server = createServer();
  const sessions = new Set<{ destroy: () => void }>();
  server.on('session', (session) => void sessions.add(session));
  stack.defer(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const method = /^\/plugin\.v1alpha\.BackendPlugin\/(\w+)$/.exec(String(headers[':path']))?.[1] ?? '';
    const messages = answers[method];
    const status = messages === undefined ? '12' : '0';
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
    for (const message of messages ?? []) {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(message.length, 1);
      stream.write(Buffer.concat([head, message]));
    }
    stream.end();
    stream.resume();
  });
  const path = folder.join('raw.sock');
  server.listen(path);
  await once(server, 'listening');
  return `unix://${path}`;
}
