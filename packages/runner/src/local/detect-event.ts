import { closest } from 'fastest-levenshtein';
import { quoted, UserError } from '../user-error.ts';
import type { Workflow } from '../workflow/model.ts';

/** What the command line says about the event. */
export interface EventChoice {
  /** `--event`. */
  readonly event?: string;
  /** `--detect-event`. */
  readonly detectEvent: boolean;
}

/**
 * The event that `exec` runs workflows for: the one that is asked for, else the only one that the workflows name. Where
 * they name several it is `push`, or with `--detect-event` the first in the order of their names.
 *
 * @throws {UserError} `FRR305` where no workflow names the event that is asked for.
 */
export function detectEvent(workflows: readonly Pick<Workflow, 'on'>[], choice: EventChoice): string {
  const named = workflows.flatMap((workflow) => workflow.on.map((trigger) => trigger.event));
  const events = [...new Set(named)].toSorted();
  if (choice.event !== undefined) {
    if (!events.includes(choice.event)) throw unknownEvent(choice.event, events);
    return choice.event;
  }
  // Nothing happens in a repository that would be a call: it comes from another workflow.
  const started = events.length === 1 ? events : events.filter((event) => event !== 'workflow_call');
  const [first] = started;
  if (first === undefined) return 'push';
  return started.length === 1 || choice.detectEvent ? first : 'push';
}

function unknownEvent(event: string, events: readonly string[]): UserError {
  if (events.length === 0) {
    const message = `expected a workflow for the event ${quoted(event)}, found none with an event`;
    return new UserError('FRR305', { problems: [{ message }] });
  }
  const message = `expected an event that a workflow names, found ${quoted(event)}; did you mean ${quoted(closest(event, events))}`;
  return new UserError('FRR305', { problems: [{ message }], next: `choose one of ${events.join(', ')}` });
}
