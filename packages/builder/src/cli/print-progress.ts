import { styleText } from 'node:util';
import type { BuildEvent, EventSink, StepId } from '../events.ts';
import { stepTitles } from '../events.ts';

/** How progress is shown. */
export type LogFormat = 'json' | 'plain' | 'auto';

/** Shows events as they come. */
export interface Progress extends AsyncDisposable {
  readonly onEvent: EventSink;
}

/**
 * Opens the display of progress: one JSON object a line on stdout, or for people on stderr, living on a terminal and as
 * plain lines elsewhere.
 */
export async function openProgress(format: LogFormat, steps: readonly StepId[]): Promise<Progress> {
  if (format === 'json') return lines((event) => process.stdout.write(`${JSON.stringify(event)}\n`));
  if (format === 'auto' && process.stderr.isTTY && process.env['CI'] === undefined) return livingList(steps);
  return lines((event) => {
    const text = asLine(event);
    if (text !== undefined) process.stderr.write(`${text}\n`);
  });
}

function lines(onEvent: EventSink): Progress {
  return { onEvent, [Symbol.asyncDispose]: () => Promise.resolve() };
}

function paint(format: 'green' | 'red' | 'yellow', text: string): string {
  return styleText(format, text, { stream: process.stderr });
}

/** An event as a line for people. The beginning of a step has none: its end says all. */
export function asLine(event: BuildEvent): string | undefined {
  switch (event.event) {
    case 'step-finished':
      return `${paint('green', '✔')} ${stepTitles[event.step]}: ${event.detail} (${event.ms} ms)`;
    case 'step-failed':
      return `${paint('red', '✖')} ${stepTitles[event.step]} (${event.ms} ms)`;
    case 'warning':
      return `${paint('yellow', '⚠')} ${event.code} ${event.message}\n  next: ${event.next}`;
    case 'note':
      return `  ${event.message}`;
    default:
      return undefined;
  }
}

async function livingList(steps: readonly StepId[]): Promise<Progress> {
  const { Listr } = await import('listr2');
  const waiting = new Map(steps.map((step) => [step, Promise.withResolvers<string>()]));
  const started = new Map(steps.map((step) => [step, Promise.withResolvers<void>()]));
  const after: string[] = [];
  const list = new Listr(
    steps.map((step) => ({
      title: stepTitles[step],
      task: async (_: unknown, task: { title: string }) => {
        const detail = await waiting.get(step)?.promise;
        task.title = `${stepTitles[step]}: ${detail}`;
      },
    })),
    { concurrent: true, exitOnError: false, registerSignalListeners: false, fallbackRenderer: 'simple' },
  );
  const shown = list.run().catch(() => undefined);
  const onEvent: EventSink = (event) => {
    if (event.event === 'step-started') started.get(event.step)?.resolve();
    else if (event.event === 'step-finished') waiting.get(event.step)?.resolve(`${event.detail} (${event.ms} ms)`);
    else if (event.event === 'step-failed') waiting.get(event.step)?.reject(new Error(stepTitles[event.step]));
    else after.push(asLine(event) ?? '');
  };
  const close = async (): Promise<void> => {
    // Steps that were never reached end with the list.
    for (const one of waiting.values()) one.reject(new Error('not reached'));
    await shown;
    for (const line of after) process.stderr.write(`${line}\n`);
  };
  return { onEvent, [Symbol.asyncDispose]: close };
}
