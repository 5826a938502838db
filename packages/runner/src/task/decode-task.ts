import { evaluateScalar, evaluateTree } from '../expressions/interpolate.ts';
import { fromJsonValue, isTruthy, toText, type Value, type ValueMap } from '../expressions/values.ts';
import { forgejoContexts } from '../contexts/forgejo-context.ts';
import { expandMatrix } from '../graph/expand-matrix.ts';
import type { JobResult } from '../report/job-report.ts';
import { quoted, UserError } from '../user-error.ts';
import type { Job, Workflow } from '../workflow/model.ts';
import { readWorkflow } from '../workflow/parse-workflow.ts';
import type { YamlNode } from '../workflow/yaml-node.ts';
import { parseYaml } from '../workflow/yaml-source.ts';
import { findIdTokenWish, type IdTokenWish } from './id-token-hint.ts';
import { type ServerFacts, takeServerFacts } from './server-facts.ts';
import { taskInputs } from './task-inputs.ts';
import type { NeedMessage, TaskMessage } from './task-message.ts';
import type { NeededJob, Task, TaskStrategy } from './task.ts';

/** A task that a job can be made of, and what came with it for the runner rather than for the job. */
export interface DecodedTask {
  readonly task: Task;
  readonly facts: ServerFacts;
  /** How its workflow asks for identity tokens, where it does. */
  readonly idTokenWish?: IdTokenWish;
}

/** What messages call the workflow: the server writes it anew, so that its lines are not those of the author's file. */
const payloadName = 'workflow.yml';

/**
 * Reads what a server handed out.
 *
 * @throws {UserError} `FRR707` for a task without one usable job, `FRR301` to `FRR304` for its workflow, `FRR503` for its
 * matrix. The task exists all the same: who asked for it reports it as failed, with this reason.
 */
export async function decodeTask(message: TaskMessage): Promise<DecodedTask> {
  const { github, facts } = takeServerFacts(readContext(message.context));
  const root = readPayload(message.workflowPayload, toText(github.get('event_name') ?? ''));
  const workflow = readWorkflow(root, payloadName);
  const wish = findIdTokenWish(root);
  const job = onlyJob(workflow);
  const needs = new Map(Object.entries(message.needs).map(([id, need]) => [id, readNeed(need)]));
  const base: Task = {
    id: String(message.id),
    attempt: Math.max(1, Number(toText(github.get('run_attempt') ?? '1')) || 1),
    workflow,
    job,
    matrix: new Map(),
    strategy: { failFast: true, maxParallel: 1, jobIndex: 0, jobTotal: 1 },
    github,
    inputs: taskInputs(workflow, github),
    secrets: new Map(Object.entries(message.secrets)),
    vars: new Map(Object.entries(message.vars)),
    needs,
    before: [...needs.values()].map(({ result }) => result),
  };
  const task = { ...base, ...(await readStrategy(job, base)) };
  return { task, facts, ...(wish === undefined ? {} : { idTokenWish: wish }) };
}

function readContext(context: unknown): ValueMap {
  try {
    const value = fromJsonValue(context ?? {});
    return value instanceof Map ? value : new Map();
  } catch (error) {
    throw unusable(`a context that cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function readPayload(payload: Uint8Array | undefined, event: string): YamlNode {
  if (payload === undefined || payload.length === 0) throw unusable('none');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(payload);
  } catch {
    throw unusable('one that is not UTF-8');
  }
  return withTrigger(parseYaml(text, payloadName), event);
}

/** A server that has decided what starts the job need not repeat it. */
function withTrigger(root: YamlNode, event: string): YamlNode {
  if (root.kind !== 'mapping' || root.entries.some(({ key }) => key === 'on')) return root;
  const { at } = root;
  const name = event || 'push';
  return {
    ...root,
    entries: [{ key: 'on', keyAt: at, value: { kind: 'scalar', value: name, source: name, at } }, ...root.entries],
  };
}

function onlyJob({ jobs }: Workflow): Job {
  const [job, ...others] = jobs.values();
  if (job === undefined || others.length > 0) throw unusable(`one with ${jobs.size} jobs`);
  return job;
}

function unusable(found: string): UserError {
  return new UserError('FRR707', {
    problems: [{ message: `expected a task with a workflow of one job, found ${found}` }],
    next: 'start the run again; if it stays so, the versions of instance and runner do not fit together',
  });
}

const results: readonly (JobResult | undefined)[] = [undefined, 'success', 'failure', 'cancelled', 'skipped'];

function readNeed({ outputs, result }: NeedMessage): NeededJob {
  // Jobs that are needed have ended; one whose result is unknown must not count as a success.
  return { result: results[result] ?? 'failure', outputs: new Map(Object.entries(outputs)) };
}

/** The server sends one combination, as lists of one value each. */
async function readStrategy(job: Job, task: Task): Promise<Partial<Pick<Task, 'matrix' | 'strategy'>>> {
  const { strategy } = job;
  if (strategy === undefined) return {};
  const contexts = new Map<string, Value>([
    ...forgejoContexts(task.github, {}),
    ['inputs', task.inputs],
    ['vars', task.vars],
    ['needs', new Map([...task.needs].map(([id, need]) => [id, new Map<string, Value>(Object.entries(need))]))],
  ]);
  const scope = { contexts, functions: new Map() };
  try {
    const matrix = strategy.matrix === undefined ? undefined : await evaluateTree(strategy.matrix, scope);
    const combinations = expandMatrix(matrix);
    if (combinations.length !== 1)
      throw new Error(`expected one combination of the matrix in a task, found ${combinations.length}`);
    const failFast = strategy.failFast === undefined ? true : isTruthy(await evaluateScalar(strategy.failFast, scope));
    const maxParallel = Number(
      strategy.maxParallel === undefined ? 1 : await evaluateScalar(strategy.maxParallel, scope),
    );
    const known: TaskStrategy = { failFast, maxParallel: maxParallel || 1, jobIndex: 0, jobTotal: 1 };
    return { matrix: combinations[0] ?? new Map(), strategy: known };
  } catch (error) {
    throw new UserError('FRR503', {
      problems: [{ at: strategy.at, message: error instanceof Error ? error.message : quoted(String(error)) }],
      cause: error,
    });
  }
}
