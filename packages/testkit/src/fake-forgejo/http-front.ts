import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createConnectRouter, type ConnectRouter } from '@connectrpc/connect';
import { compressionGzip } from '@connectrpc/connect-node';
import type { ServerClock } from '../server-clock.ts';
import type { OpenRecord } from './record.ts';
import type { Fault, PlayedScenario, Procedure } from './scenario.ts';
import type { ServerFeatures } from './server-features.ts';

/** What stands behind the front. */
export interface FrontOptions {
  /** Of the instance below the root, without a slash at the end; mostly empty. */
  readonly path: string;
  readonly serve: (router: ConnectRouter) => void;
  readonly scenario: PlayedScenario;
  readonly record: OpenRecord;
  readonly clock: ServerClock;
  readonly features: () => ServerFeatures;
  /** Done before each request that comes through. */
  readonly beforeWork: () => void;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** One request, its work not done yet. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly procedure: Procedure;
  readonly work: () => Promise<Answer>;
}

const procedures: Readonly<Record<string, Procedure>> = {
  '/ping.v1.PingService/Ping': 'Ping',
  '/runner.v1.RunnerService/Register': 'Register',
  '/runner.v1.RunnerService/Declare': 'Declare',
  '/runner.v1.RunnerService/FetchTask': 'FetchTask',
  '/runner.v1.RunnerService/FetchSingleTask': 'FetchSingleTask',
  '/runner.v1.RunnerService/UpdateTask': 'UpdateTask',
  '/runner.v1.RunnerService/UpdateLog': 'UpdateLog',
};

/** Answers what comes in by HTTP: faults first, then the procedures, as an instance answers compressed from 1 KiB on. */
export function httpFront(options: FrontOptions): RequestListener {
  const router = createConnectRouter({
    grpc: false,
    grpcWeb: false,
    acceptCompression: [compressionGzip],
    compressMinBytes: 1024,
    // Names that a newer runner sends are no error for an older instance.
    jsonOptions: { ignoreUnknownFields: true },
  });
  options.serve(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  const overtaken: { readonly procedure: Procedure; readonly work: () => Promise<unknown> }[] = [];

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const body = await readAll(request);
    const base = `${options.path}/api/actions`;
    const requestPath = path.startsWith(`${base}/`) ? path.slice(base.length) : '';
    const [procedure, handler] = [procedures[requestPath], handlers.get(requestPath)];
    if (procedure === undefined || handler === undefined) return send(response, notFoundPage());
    const header = headersOf(request);
    const runner = header.get('x-runner-uuid') ?? undefined;
    const fault = options.scenario.next({ procedure, ...(runner === undefined ? {} : { runner }) });
    const done = options.record.begin(recorded(options.clock.now(), { procedure, header, body, fault }));
    const work = async (): Promise<Answer> => {
      options.beforeWork();
      if (!isKnown(procedure, options.features())) return unknownProcedure();
      const signal = new AbortController().signal; // an instance does its work to the end
      const url = `http://localhost${requestPath}`;
      const method = request.method ?? 'POST';
      const answered = await handler({ httpVersion: '1.1', url, method, header, body: once(body), signal });
      return { status: answered.status, headers: plain(answered.header), body: await collect(answered.body) };
    };
    try {
      await play({ request, response, procedure, work }, fault, (late) => overtaken.push(late));
    } finally {
      done();
    }
    const next = fault === undefined ? overtaken.findIndex((late) => late.procedure === procedure) : -1;
    if (next >= 0) await overtaken.splice(next, 1)[0]?.work();
  };

  return (request, response) => {
    response.setHeader('date', new Date(options.clock.now()).toUTCString());
    answer(request, response).catch(() => request.socket.destroy());
  };
}

/** Carries out what goes wrong. */
async function play(
  { request, response, procedure, work }: Exchange,
  fault: Fault | undefined,
  overtake: (late: { readonly procedure: Procedure; readonly work: () => Promise<unknown> }) => void,
): Promise<void> {
  const cut = (): void => void request.socket.destroy();
  switch (fault?.kind) {
    case undefined:
      return send(response, await work());
    case 'answer':
      return send(response, {
        status: fault.status,
        headers: { 'content-type': 'text/plain; charset=utf-8', ...fault.headers },
        body: Buffer.from(fault.body ?? ''),
      });
    case 'error':
      return send(response, {
        status: fault.status ?? 500,
        headers: { 'content-type': 'application/json' },
        body: Buffer.from(JSON.stringify({ code: fault.code, message: fault.message })),
      });
    case 'reset':
      if (fault.when === 'after') await work();
      return cut();
    case 'half':
      return sendHalf(response, await work(), cut);
    case 'slow': {
      const answered = fault.when === 'after' ? await work() : undefined;
      await new Promise((resolve) => setTimeout(resolve, fault.ms));
      return send(response, answered ?? (await work()));
    }
    case 'hang':
      if (fault.when === 'after') await work();
      return;
    case 'overtaken':
      overtake({ procedure, work });
      return cut();
    case 'twice':
      await work();
      return send(response, await work());
    case 'altered': {
      const answered = await work();
      return send(response, { ...answered, body: Buffer.from(fault.alter(answered.body)) });
    }
  }
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, 'content-length': body.length });
  response.end(body);
}

function sendHalf(response: ServerResponse, { status, headers, body }: Answer, cut: () => void): void {
  response.writeHead(status, { ...headers, 'content-length': Math.max(2, body.length) });
  response.write(body.subarray(0, Math.max(1, body.length >> 1)), cut);
}

function isKnown(procedure: Procedure, features: ServerFeatures): boolean {
  if (procedure === 'Declare') return features.declare;
  return procedure !== 'FetchSingleTask' || features.singleTask;
}

/** What an instance answers that was built before there was such a procedure. */
function unknownProcedure(): Answer {
  const headers = { 'content-type': 'text/plain; charset=utf-8' };
  return { status: 404, headers, body: Buffer.from('404 page not found\n') };
}

function notFoundPage(): Answer {
  const body = '<!DOCTYPE html><html><head><title>Page Not Found</title></head><body>404</body></html>';
  return { status: 404, headers: { 'content-type': 'text/html; charset=utf-8' }, body: Buffer.from(body) };
}

function recorded(
  atMs: number,
  { procedure, header, body, fault }: { procedure: Procedure; header: Headers; body: Buffer; fault: Fault | undefined },
): Parameters<OpenRecord['begin']>[0] {
  const [runner, requestKey] = [header.get('x-runner-uuid'), header.get('x-runner-request-key')];
  const type = header.get('content-type') ?? '';
  return {
    atMs,
    procedure,
    codec: type.includes('json') ? 'json' : type.includes('proto') ? 'binary' : 'other',
    bytes: body.length,
    isCompressed: (header.get('content-encoding') ?? 'identity') !== 'identity',
    userAgent: header.get('user-agent') ?? '',
    ...(runner === null ? {} : { runner }),
    ...(requestKey === null ? {} : { requestKey }),
    ...(fault === undefined ? {} : { fault: fault.kind }),
  };
}

function headersOf(request: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return headers;
}

function plain(headers: Headers | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(headers ?? []);
}

async function* once(body: Buffer): AsyncGenerator<Uint8Array> {
  yield body;
}

async function collect(body: AsyncIterable<Uint8Array> | undefined): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body ?? []) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  // A stream of bytes; Node types what it yields as anything.
  return collect(request as AsyncIterable<Buffer>);
}
