import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Attributes,
  type Context,
  context,
  type ContextManager,
  ROOT_CONTEXT,
  type Span,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { eventually } from '@forgejo-runner/testkit';
import { afterEach, expect, it } from 'vitest';
import { jobHere, openDaemonFolder } from './daemon-folder.ts';

interface Recorded {
  readonly name: string;
  readonly parent: string | undefined;
  readonly attributes: Attributes;
}

const names = new WeakMap<Span, string>();
const ended: Recorded[] = [];

/** As much of a provider as shows what an administrator's would get. */
function register(): void {
  const storage = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (active, work, self, ...args) => storage.run(active, () => work.apply(self, args)),
    bind: (_active, target) => target,
    enable: () => manager,
    disable: () => manager,
  };
  context.setGlobalContextManager(manager);
  const tracer = {
    startSpan: (name: string, options: { attributes?: Attributes } = {}, active = context.active()): Span => {
      const above = trace.getSpan(active);
      const attributes: Attributes = { ...options.attributes };
      const span = {
        setAttribute: (key: string, value: string) => {
          attributes[key] = value;
          return span;
        },
        setStatus: () => span,
        end: () => ended.push({ name, parent: above && names.get(above), attributes }),
      };
      // What the runner uses of a span is all there.
      const started = span as unknown as Span;
      names.set(started, name);
      return started;
    },
    startActiveSpan: (name: string, options: object, work: (span: Span) => unknown) => {
      const span = tracer.startSpan(name, options);
      return context.with(trace.setSpan(context.active(), span), () => work(span));
    },
  };
  trace.setGlobalTracerProvider({ getTracer: () => tracer as unknown as Tracer });
}

afterEach(() => {
  trace.disable();
  context.disable();
});

it('has spans of jobs, their steps and what backends do, one within the other and without secrets', async () => {
  register();
  await using daemon = await openDaemonFolder();
  await daemon.configure();
  const started = daemon.start('daemon', '-c', 'config.yml');
  const workflow = `${jobHere('exit 3')}    name: "with \${{ secrets.PASS }}"\n`;
  const job = daemon.forgejo.addJob({ workflow, secrets: { PASS: 'hunter2x' } });
  expect(await job.ended()).toBe('failure');
  await eventually(() => ended.some(({ name }) => name === 'job'));
  expect(await started.stop()).toBe(0);
  expect(ended).toEqual(
    expect.arrayContaining([
      { name: 'backend.createEnvironment', parent: 'job', attributes: { backend: 'reference' } },
      { name: 'backend.remove', parent: 'job', attributes: { backend: 'reference' } },
      { name: 'exec', parent: 'step', attributes: { program: expect.any(String) } },
      { name: 'step', parent: 'job', attributes: { name: 'with ***', index: 0, stage: 'main', outcome: 'failure' } },
      {
        name: 'job',
        parent: undefined,
        attributes: expect.objectContaining({ result: 'failure', connection: 'main' }),
      },
    ]),
  );
  expect(JSON.stringify(ended)).not.toContain('hunter2x');
});
