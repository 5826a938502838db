import { styleText } from 'node:util';
import type { ListrTask } from 'listr2';
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

/** Steps that run beside each other, under one title. */
const besides: ReadonlySet<StepId> = new Set(['check', 'entry', 'bundle']);

async function livingList(steps: readonly StepId[]): Promise<Progress> {
  const { Listr } = await import('listr2');
  const ends = new Map(steps.map((step) => [step, Promise.withResolvers<string>()]));
  // Whoever shows a step waits for its end; for one that is never shown nobody does.
  for (const end of ends.values()) end.promise.catch(() => undefined);
  const after: string[] = [];
  const show = (step: StepId): ListrTask => ({
    title: stepTitles[step],
    task: async (_, task) => {
      task.title = `${stepTitles[step]}: ${await ends.get(step)?.promise}`;
    },
  });
  const together = steps.filter((step) => besides.has(step)).map(show);
  const group: ListrTask = {
    title: 'Check and bundle',
    task: (_, task) => task.newListr(together, { concurrent: true }),
  };
  const first = steps.findIndex((step) => besides.has(step));
  const tasks = steps.flatMap((step, index) => (index === first ? [group] : besides.has(step) ? [] : [show(step)]));
  const list = new Listr(tasks, {
    registerSignalListeners: false,
    rendererOptions: { collapseSubtasks: false, showErrorMessage: false },
  });
  const shown = list.run().catch(() => undefined);
  const onEvent: EventSink = (event) => {
    if (event.event === 'step-finished') ends.get(event.step)?.resolve(`${event.detail} (${event.ms} ms)`);
    else if (event.event === 'step-failed') ends.get(event.step)?.reject(new Error(stepTitles[event.step]));
    else if (event.event !== 'step-started' && event.event !== 'unchanged') after.push(asLine(event) ?? '');
  };
  const close = async (): Promise<void> => {
    // A step that was never reached ends with the list.
    for (const end of ends.values()) end.reject(new Error('not reached'));
    await shown;
    for (const line of after) process.stderr.write(`${line}\n`);
  };
  return { onEvent, [Symbol.asyncDispose]: close };
}
