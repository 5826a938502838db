import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { eventually, openTempFolder, runProgram, startFakeForgejo } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type BuiltRunner, buildRunner } from './built-runner.ts';
import { openHome } from './daemon-runner.ts';

// The tracing of a built runner, as the documentation has administrators switch it on, to a collector.

interface Span {
  readonly name: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
}

const opened = new AsyncDisposableStack();
const tracing = fileURLToPath(new URL('../contrib/tracing.mjs', import.meta.url));
let built: BuiltRunner;
let collector: Server;
let spans: Span[];

beforeAll(async () => {
  built = opened.use(await buildRunner());
  collector = createServer((request, response) => void collect(request, response));
  await once(collector.listen(0, '127.0.0.1'), 'listening');
});

/** Takes what exporters of OTLP send as JSON. */
async function collect(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const sent = JSON.parse(Buffer.concat(await request.toArray()).toString()) as {
    readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly Span[] }[] }[];
  };
  spans.push(...sent.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
  response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
}

beforeEach(() => {
  spans = [];
});

afterAll(async () => {
  collector.close();
  await opened.disposeAsync();
});

function variables(): Readonly<Record<string, string>> {
  // It listens on TCP.
  const { port } = collector.address() as AddressInfo;
  return {
    NODE_OPTIONS: `--import=${tracing}`,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
  };
}

/** Names of spans with those around them, the outermost first. */
function paths(): readonly string[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const path = ({ name, parentSpanId }: Span): string => {
    const parent = parentSpanId === undefined ? undefined : byId.get(parentSpanId);
    return parent === undefined ? name : `${path(parent)}/${name}`;
  };
  return spans.map(path);
}

it('follows a job of an instance from its environment to the removal, and gives jobs nothing of it', async () => {
  await using forgejo = await startFakeForgejo();
  await using home = await openHome({ command: built.command, connections: { main: { forgejo } }, env: variables() });
  await using runner = home.start();
  const job = forgejo.addJob('{ runs-on: linux, steps: [{ run: \'echo "options [$NODE_OPTIONS]"\' }] }');
  expect(await job.ended()).toBe('success');
  expect(job.stepTexts(0)).toContain('options []');
  await eventually(() => runner.output().includes('job ended'));
  runner.signal('SIGTERM');
  expect((await runner.finished).code).toBe(0);
  expect(paths()).toEqual(
    expect.arrayContaining([
      'backend.sweep',
      'job',
      'job/backend.createEnvironment',
      'job/step',
      'job/step/exec',
      'job/backend.remove',
    ]),
  );
});

it('follows the jobs of exec', async () => {
  await using folder = await openTempFolder('forgejo-runner-tracing-');
  const workflow = 'on: push\njobs:\n  one:\n    runs-on: x\n    steps: [{ run: "true" }]\n';
  await folder.write({ '.forgejo/workflows/w.yml': workflow, 'home/.keep': '' });
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder.join('home'), NO_COLOR: '1', ...variables() };
  const { code } = await runProgram([...built.command, 'exec', '-P', 'x=host'], { cwd: folder.path, env });
  expect(code).toBe(0);
  expect(paths()).toEqual(expect.arrayContaining(['job/backend.createEnvironment', 'job/step', 'job/backend.remove']));
});
