import { execFileSync } from 'node:child_process';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { readFile } from 'node:fs/promises';
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import { PingService, Result, RunnerService } from '@forgejo-runner/protocol';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ConnectionOptions, type InstanceConnection, openConnection } from '../src/forgejo/connection.ts';
import { InstanceError } from '../src/forgejo/failures.ts';
import { readInstanceUrl } from '../src/forgejo/instance-url.ts';
import { RequestKey } from '../src/poll/request-key.ts';
import { ReportFailure } from '../src/report/report-channel.ts';
import { recordingLog } from './open-report.ts';
import { serveInstance } from './served-instance.ts';

let temp: TempFolder;
const warnings: string[] = [];
const never = new AbortController().signal;
beforeEach(async () => {
  temp = await openTempFolder();
  warnings.length = 0;
});
afterEach(() => temp[Symbol.asyncDispose]());

/** A connection to an address, with what a test says about it. */
function open(url: string, more: Partial<ConnectionOptions> = {}): InstanceConnection {
  return openConnection({
    name: 'main',
    address: readInstanceUrl(url),
    uuid: 'some-uuid',
    token: 'some-token',
    codec: 'json',
    insecure: false,
    env: {},
    timeoutMs: 60_000,
    fetchTimeoutMs: 60_000,
    requestKey: new RequestKey(),
    log: recordingLog(warnings),
    ...more,
  });
}

/** An instance with one task that is handed out once for each question. */
function oneTask(router: ConnectRouter): void {
  router.service(PingService, { ping: () => ({ data: 'Hello!' }) });
  router.service(RunnerService, {
    declare: ({ labels }) => ({ runner: { name: 'mine', labels, ephemeral: false } }),
    fetchTask: ({ tasksVersion }) => ({
      tasksVersion: tasksVersion + 1n,
      task: { id: 7n, workflowPayload: new TextEncoder().encode('jobs: {}'), context: { sha: 'abc' } },
      additionalTasks: [{ id: 8n, secrets: { TOKEN: 'x' } }],
    }),
  });
}

const question = { capacity: 3, labels: ['docker'] };

it('declares labels before the first question, and again when others are open', async () => {
  const declared: string[][] = [];
  await using served = await serveInstance((router) =>
    router.service(RunnerService, {
      declare: ({ labels }) => {
        declared.push(labels);
        return { runner: {} };
      },
      fetchTask: () => ({}),
    }),
  );
  using connection = open(served.url);
  await connection.fetchTasks({ capacity: 1, labels: ['a', 'b'] }, never);
  await connection.fetchTasks({ capacity: 1, labels: ['b', 'a'] }, never);
  await connection.fetchTasks({ capacity: 1, labels: ['b'] }, never);
  expect(declared).toEqual([['a', 'b'], ['b']]);
});

it.each(['json', 'binary'] as const)('brings tasks by the codec %s', async (codec) => {
  await using served = await serveInstance(oneTask);
  using connection = open(served.url, { codec });
  const { tasks } = await connection.fetchTasks(question, never);
  expect(tasks.map(({ id }) => id)).toEqual([7n, 8n]);
  expect(new TextDecoder().decode(tasks[0]?.workflowPayload)).toBe('jobs: {}');
  expect(tasks[0]?.context).toEqual({ sha: 'abc' });
  expect(tasks[1]?.secrets).toEqual({ TOKEN: 'x' });
  const last = served.requests.at(-1)?.headers;
  expect(last).toMatchObject({ 'x-runner-uuid': 'some-uuid', 'x-runner-token': 'some-token' });
  expect(last?.['content-type']).toBe(codec === 'json' ? 'application/json' : 'application/proto');
});

it('says how many places are free, but not in numbers of fields that nobody knows', async () => {
  const capacities: (bigint | undefined)[] = [];
  await using served = await serveInstance((router) =>
    router.service(RunnerService, {
      declare: () => ({}),
      fetchTask: ({ taskCapacity }) => {
        capacities.push(taskCapacity);
        return {};
      },
    }),
  );
  for (const codec of ['json', 'binary'] as const) {
    using connection = open(served.url, { codec });
    await connection.fetchTasks({ capacity: Number.POSITIVE_INFINITY, labels: ['a'] }, never);
  }
  expect(capacities).toEqual([1000n, undefined]);
});

it('asks only for what is new, and for all again after a task, a failure or other labels', async () => {
  const versions: bigint[] = [];
  let answer: (() => object) | undefined;
  await using served = await serveInstance((router) =>
    router.service(RunnerService, {
      declare: () => ({}),
      fetchTask: ({ tasksVersion }) => {
        versions.push(tasksVersion);
        return answer?.() ?? { tasksVersion: 5n };
      },
    }),
  );
  using connection = open(served.url);
  const ask = (labels = ['a']): Promise<unknown> => connection.fetchTasks({ capacity: 1, labels }, never);
  await ask();
  await ask();
  answer = () => ({ tasksVersion: 6n, task: { id: 1n } });
  await ask();
  answer = undefined;
  await ask();
  answer = () => {
    throw new ConnectError('database is locked', Code.Internal);
  };
  await expect(ask()).rejects.toThrow(InstanceError);
  answer = undefined;
  await ask();
  await ask(['a', 'b']);
  expect(versions).toEqual([0n, 5n, 5n, 0n, 5n, 0n, 0n]);
});

it('keeps its request key until the tasks of an answer are safe', async () => {
  const keys = new Set<string | null>();
  await using served = await serveInstance((router) =>
    router.service(RunnerService, {
      declare: () => ({}),
      fetchTask: (_, { requestHeader }) => {
        keys.add(requestHeader.get('x-runner-request-key'));
        return { task: { id: 1n } };
      },
    }),
  );
  using connection = open(served.url);
  await connection.fetchTasks(question, never);
  const { confirm } = await connection.fetchTasks(question, never);
  expect(keys.size).toBe(1);
  await confirm();
  await connection.fetchTasks(question, never);
  expect(keys.size).toBe(2);
});

it('asks for the job of a handle, and says which version has that', async () => {
  const handles: (string | undefined)[] = [];
  await using young = await serveInstance((router) =>
    router.service(RunnerService, {
      fetchSingleTask: ({ handle }) => {
        handles.push(handle);
        return { task: { id: 3n } };
      },
    }),
  );
  using connection = open(young.url);
  expect((await connection.fetchSingle('that-one', never)).tasks.map(({ id }) => id)).toEqual([3n]);
  expect(handles).toEqual(['that-one']);
  await using old = await serveInstance((router) =>
    router.service(PingService, { ping: () => ({}) }).service(RunnerService, {}),
  );
  using olden = open(old.url);
  const failure = await failureOf(olden.fetchSingle('that-one', never));
  expect(failure).toMatchObject({ code: 'FRR706', isRefused: true, message: expect.stringContaining('Forgejo 15') });
});

it('works with a server that knows nothing of declaring', async () => {
  await using served = await serveInstance(
    (router) => router.service(PingService, { ping: () => ({}) }).rpc(RunnerService.method.fetchTask, () => ({})),
    {},
  );
  using connection = open(served.url);
  expect(await connection.declare(['a'], never)).toBeUndefined();
  expect((await connection.fetchTasks(question, never)).tasks).toEqual([]);
  expect(warnings).toEqual([expect.stringContaining('the instance is old')]);
});

it.each<[string, (response: ServerResponse) => void, object]>([
  [
    'a page of a login',
    (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in</html>'),
    { code: 'FRR703', isRefused: true },
  ],
  ['nothing at this path', (response) => response.writeHead(404).end('not found'), { code: 'FRR703', isRefused: true }],
  [
    'a redirection',
    (response) => response.writeHead(301, { location: 'https://new.example/' }).end(),
    { code: 'FRR703', message: expect.stringContaining('https://new.example/') },
  ],
  [
    'a proxy whose server is away',
    (response) => response.writeHead(502, { 'content-type': 'text/html' }).end('<html>Bad gateway</html>'),
    { code: 'FRR701', isRefused: false },
  ],
  [
    'half an answer',
    (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"task":'),
    { code: 'FRR704' },
  ],
  [
    'patience asked for',
    (response) => response.writeHead(429, { 'retry-after': '120' }).end(),
    { retryAfterMs: 120_000, isRefused: false },
  ],
  ['a connection that is cut', (response) => response.destroy(), { code: 'FRR701', isRefused: false }],
])('finds words for %s', async (_, answer, expected) => {
  const before = (_request: IncomingMessage, response: ServerResponse): boolean => {
    answer(response);
    return true;
  };
  await using served = await serveInstance(oneTask, { before });
  using connection = open(served.url);
  expect(await failureOf(connection.fetchTasks(question, never))).toMatchObject(expected);
});

it('tells a wrong token from other failures', async () => {
  await using served = await serveInstance((router) =>
    router.service(RunnerService, {
      declare: () => {
        throw new ConnectError('unregistered runner', Code.Unauthenticated);
      },
    }),
  );
  using connection = open(served.url);
  const failure = await failureOf(connection.declare(['a'], never));
  expect(failure).toMatchObject({ code: 'FRR702', isRefused: true });
  expect(JSON.stringify(failure)).not.toContain('some-token');
});

it('ends a question that takes too long, and one that nobody waits for', async () => {
  await using served = await serveInstance((router) =>
    router.service(RunnerService, { declare: () => new Promise(() => {}), fetchTask: () => new Promise(() => {}) }),
  );
  using slow = open(served.url, { timeoutMs: 50 });
  expect(await failureOf(slow.declare(['a'], never))).toMatchObject({ code: 'FRR701', isRefused: false });
  using left = open(served.url);
  const leaving = new AbortController();
  const asking = left.declare(['a'], leaving.signal);
  leaving.abort(new Error('shutting down'));
  await expect(asking).rejects.toThrow('shutting down');
});

it('listens on a socket, and below a path', async () => {
  const socket = temp.join('forgejo.sock');
  await using onSocket = await serveInstance(oneTask, { socket });
  using first = open(`unix://${onSocket.url}`, { env: { HTTP_PROXY: 'http://127.0.0.1:1' } });
  expect((await first.fetchTasks(question, never)).tasks).toHaveLength(2);
  await using below = await serveInstance(oneTask, { socket: temp.join('below.sock'), path: '/git' });
  using second = open(`http+unix://${encodeURIComponent(below.url)}/git/`);
  expect((await second.fetchTasks(question, never)).tasks).toHaveLength(2);
  using none = open(`unix://${temp.join('none.sock')}`);
  expect(await failureOf(none.probe(never))).toMatchObject({
    code: 'FRR701',
    message: expect.stringMatching(/socket/),
  });
});

it('goes through a proxy, but not to hosts that are excepted', async () => {
  await using served = await serveInstance(oneTask);
  const seen: string[] = [];
  const proxy = createHttpServer((request, response) => {
    seen.push(request.url ?? '');
    response.writeHead(502).end();
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const HTTP_PROXY = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  using through = open(served.url, { env: { HTTP_PROXY } });
  await expect(through.probe(never)).rejects.toThrow('something before the instance');
  expect(seen).toEqual([`${served.url}/api/actions/ping.v1.PingService/Ping`]);
  using past = open(served.url, { env: { HTTP_PROXY, NO_PROXY: 'localhost' } });
  await past.probe(never);
  expect(seen).toHaveLength(1);
  proxy.close();
});

it('trusts the authority that is named, or nobody when told so, also through a proxy', async () => {
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => temp.join(name)) as [string, string];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2'];
  const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', ...subject];
  execFileSync('openssl', [...make, '-keyout', key, '-out', cert], { stdio: 'pipe' });
  const tls = { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  await using served = await serveInstance(oneTask, { tls });
  using doubtful = open(served.url);
  expect(await failureOf(doubtful.probe(never))).toMatchObject({
    code: 'FRR701',
    message: expect.stringContaining('certificate'),
    next: expect.stringContaining('ca_file'),
  });
  using trusting = open(served.url, { ca: tls.cert });
  await trusting.probe(never);
  using careless = open(served.url, { insecure: true });
  await careless.probe(never);

  const tunnels: string[] = [];
  const proxy = createHttpServer().on('connect', (request, client) => {
    tunnels.push(request.url ?? '');
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const target = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(target).pipe(client);
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const https_proxy = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  {
    using tunnelled = open(served.url, { ca: tls.cert, env: { https_proxy } });
    await tunnelled.probe(never);
  }
  expect(tunnels).toEqual([new URL(served.url).host]);
  proxy.close();
});

it('packs large reports, and leaves small ones as they are', async () => {
  const rows: number[] = [];
  await using served = await serveInstance((router) =>
    router.service(RunnerService, {
      updateLog: (request) => {
        rows.push(request.rows.length);
        return { ackIndex: request.index + BigInt(request.rows.length) };
      },
    }),
  );
  using connection = open(served.url);
  const row = { atMs: 1_700_000_000_123, text: 'the same again' };
  for (const count of [1, 500]) {
    const update = { taskId: '7', index: 0, rows: Array.from({ length: count }, () => row), noMore: false };
    expect(await connection.reports.updateLog(update, never)).toEqual({ ackIndex: count });
  }
  expect(rows).toEqual([1, 500]);
  expect(served.requests.map(({ headers }) => headers['content-encoding'])).toEqual([undefined, 'gzip']);
});

it('reports states and outputs, and learns of a cancellation', async () => {
  const states: unknown[] = [];
  await using served = await serveInstance((router) =>
    router.service(RunnerService, {
      updateTask: ({ state, outputs }) => {
        states.push([
          state?.id,
          state?.result,
          state?.steps.map(({ id, logIndex, logLength }) => [id, logIndex, logLength]),
        ]);
        return { state: { result: Result.CANCELLED }, sentOutputs: Object.keys(outputs) };
      },
    }),
  );
  using connection = open(served.url);
  const state = { taskId: '7', startedAtMs: 1, steps: [{ index: 2, logIndex: 3, logLength: 4, startedAtMs: 2 }] };
  const outputs = new Map([
    ['__proto__', 'x'],
    ['image', 'y'],
  ]);
  expect(await connection.reports.updateTask({ state, outputs }, never)).toEqual({
    result: 'cancelled',
    sentOutputs: ['__proto__', 'image'],
  });
  expect(states).toEqual([[7n, Result.UNSPECIFIED, [[2n, 3n, 4n]]]]);
});

it.each<[string, ConnectError, ReportFailure['kind']]>([
  ['a log that is put away', new ConnectError('log file has been archived', Code.AlreadyExists), 'archived'],
  ['a task that is gone', new ConnectError('get task: resource does not exist', Code.Internal), 'gone'],
  ['a task of another runner', new ConnectError('invalid runner for task', Code.Internal), 'gone'],
  ['a runner that is gone', new ConnectError('unregistered runner', Code.Unauthenticated), 'gone'],
  ['a request that is malformed', new ConnectError('no state', Code.InvalidArgument), 'refused'],
  ['a database that is locked', new ConnectError('database is locked', Code.Internal), 'retry'],
])('says of %s what it means for the report', async (_, error, kind) => {
  await using served = await serveInstance((router) =>
    router.service(RunnerService, {
      updateLog: () => {
        throw error;
      },
    }),
  );
  using connection = open(served.url);
  const update = { taskId: '7', index: 0, rows: [], noMore: false };
  const failed = await connection.reports.updateLog(update, never).catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(ReportFailure);
  expect(failed).toMatchObject({ kind });
});

it('warns of clocks that differ, once', async () => {
  await using served = await serveInstance(oneTask, { before: fromTheFuture });
  using connection = open(served.url);
  await connection.probe(never);
  await connection.probe(never);
  expect(warnings).toEqual(['the clocks of runner and instance differ']);
});

function fromTheFuture(_request: IncomingMessage, response: ServerResponse): boolean {
  response.setHeader('date', new Date(Date.now() + 3_600_000).toUTCString());
  return false;
}

async function failureOf(asking: Promise<unknown>): Promise<unknown> {
  const error = await asking.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(error instanceof InstanceError)) throw new Error(`expected an InstanceError, found ${String(error)}`);
  return error.failure;
}
