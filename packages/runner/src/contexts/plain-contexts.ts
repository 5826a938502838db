import type { Value, ValueMap } from '../expressions/values.ts';
import type { NeededJob, Task, TaskStrategy } from '../task/task.ts';

/** Contexts that a task brings along and no step changes: `needs`, `matrix`, `strategy`, `inputs`, `vars`, `secrets`. */
export function plainContexts(task: Task): ReadonlyMap<string, Value> {
  return new Map<string, Value>([
    ['needs', needsContext(task.needs)],
    ['matrix', task.matrix],
    ['strategy', strategyContext(task.strategy)],
    ['inputs', task.inputs],
    ['vars', task.vars],
    ['secrets', task.secrets],
  ]);
}

/** The `needs` context, and the `jobs` context of a called workflow's outputs: result and outputs by job id. */
export function needsContext(needs: ReadonlyMap<string, NeededJob>): ValueMap {
  return new Map(
    [...needs].map(([id, job]): [string, Value] => [
      id,
      new Map<string, Value>([
        ['result', job.result],
        ['outputs', job.outputs],
      ]),
    ]),
  );
}

function strategyContext(strategy: TaskStrategy): ValueMap {
  return new Map<string, Value>([
    ['fail-fast', strategy.failFast],
    ['job-index', strategy.jobIndex],
    ['job-total', strategy.jobTotal],
    ['max-parallel', strategy.maxParallel],
  ]);
}
