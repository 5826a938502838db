import { type Problem, quoted, UserError } from '../user-error.ts';
import type { CallDeclaration, Workflow } from '../workflow/model.ts';
import type { Place } from '../workflow/yaml-node.ts';
import { readCallReference } from './call-reference.ts';
import { needsProblems } from './order-jobs.ts';

/** The workflows of one repository at one commit. */
export interface RepositoryWorkflows {
  /** Name of a file for people. The same name is the same workflow. */
  readonly nameOf: (path: string) => string;
  /** Reads a workflow by its path below the root. @throws UserError for one that is malformed. */
  readonly find: (path: string, signal: AbortSignal) => Promise<Workflow | undefined>;
}

/** Where called workflows come from. */
export interface WorkflowSources {
  /** The repository that the run is for. */
  readonly own: RepositoryWorkflows;
  /** Has another repository at hand. Without it, workflows of other repositories are refused. */
  readonly openRemote?: (uses: string, at: Place, signal: AbortSignal) => Promise<RemoteWorkflow>;
}

/** A place in another repository. */
export interface RemoteWorkflow {
  readonly repository: RepositoryWorkflows;
  readonly path: string;
}

/** Where a workflow stands in the calls of a run. */
export interface CallLevel {
  /** Names of the workflows from the one that the event started to this one. */
  readonly chain: readonly string[];
  /** Where `./` of its calls leads: to the same commit of the same repository. */
  readonly repository: RepositoryWorkflows | undefined;
}

/** A workflow that was found for a call. */
export interface CalledWorkflow {
  readonly workflow: Workflow;
  readonly callable: CallDeclaration;
  readonly level: CallLevel;
}

/** Levels of workflows, the one that the event started included. Source: GitHub, reusable workflows, limitations. */
export const maxCallLevels = 10;
/** Different workflows that the calls of one run lead to. */
export const maxCalledWorkflows = 50;
/** Calls of one run: a matrix of calls to a matrix of calls would go on for years. */
export const maxCalls = 1000;

/** Finds the workflows that the jobs of one run call, and ends calls that would never end. */
export class WorkflowCalls {
  readonly #sources: WorkflowSources | undefined;
  readonly #found = new Map<string, Promise<Workflow | undefined>>();
  #calls = 0;

  constructor(sources: WorkflowSources | undefined) {
    this.#sources = sources;
  }

  /** The level of the workflow that the event started. */
  top(workflow: Workflow): CallLevel {
    return { chain: [workflow.file], repository: this.#sources?.own };
  }

  /**
   * Finds the workflow that `uses` at a place of a workflow names.
   *
   * @throws UserError `FRR504` with the place of the call, and the places of what is wrong in the called workflow.
   */
  async find(uses: string, at: Place, level: CallLevel, signal: AbortSignal): Promise<CalledWorkflow> {
    this.#calls += 1;
    if (this.#calls > maxCalls)
      throw refused([{ at, message: `expected at most ${maxCalls} calls in a run, found more` }]);
    const { repository, path } = await this.#locate(uses, at, level, signal);
    const name = repository.nameOf(path);
    checkChain(level.chain, name, at);
    const workflow = await this.#read(name, at, () => repository.find(path, signal));
    const { callable } = workflow;
    if (callable === undefined) {
      throw refused([
        { at, message: `expected a workflow that can be called, found ${quoted(name)}` },
        {
          at: workflow.on[0]?.at ?? { file: workflow.file, line: 1, column: 1 },
          message: 'expected "workflow_call" in "on", found none',
        },
      ]);
    }
    return { workflow, callable, level: { chain: [...level.chain, name], repository } };
  }

  async #locate(uses: string, at: Place, level: CallLevel, signal: AbortSignal): Promise<RemoteWorkflow> {
    const reference = readCallReference(uses);
    if ('message' in reference) throw refused([{ ...reference, at }]);
    if (reference.kind === 'local' && level.repository !== undefined)
      return { repository: level.repository, path: reference.path };
    if (reference.kind === 'remote' && this.#sources?.openRemote !== undefined)
      return this.#sources.openRemote(uses, at, signal);
    const where = reference.kind === 'local' ? 'its own repository' : 'other repositories';
    throw refused([
      { at, message: `expected a runner that reads workflows of ${where} for ${quoted(uses)}, found none` },
    ]);
  }

  /** Reads each workflow once, however many jobs call it. */
  async #read(name: string, at: Place, find: () => Promise<Workflow | undefined>): Promise<Workflow> {
    let finding = this.#found.get(name);
    if (finding === undefined) {
      if (this.#found.size >= maxCalledWorkflows)
        throw refused([
          { at, message: `expected at most ${maxCalledWorkflows} workflows to be called in a run, found more` },
        ]);
      finding = find();
      this.#found.set(name, finding);
      // The next call may not be cancelled as this one.
      finding.catch(() => this.#found.delete(name));
    }
    return requireWorkflow(name, at, finding);
  }
}

/** The error of a call, with all that is wrong with it. */
export function refused(
  problems: readonly Problem[],
  details: { readonly next?: string; readonly cause?: unknown } = {},
): UserError {
  return new UserError('FRR504', { problems, ...details });
}

function checkChain(chain: readonly string[], name: string, at: Place): void {
  if (chain.includes(name)) {
    const circle = [...chain.slice(chain.indexOf(name)), name].map((each) => quoted(each)).join(' calling ');
    throw refused([{ at, message: `expected workflows that do not call themselves, found ${circle}` }]);
  }
  if (chain.length >= maxCallLevels)
    throw refused([{ at, message: `expected at most ${maxCallLevels} levels of workflows, found more` }]);
}

async function requireWorkflow(name: string, at: Place, finding: Promise<Workflow | undefined>): Promise<Workflow> {
  const workflow = await finding.catch((error: unknown) => {
    throw error instanceof UserError ? malformed(name, at, error.problems, error) : error;
  });
  if (workflow === undefined) throw refused([{ at, message: `expected a workflow at ${quoted(name)}, found none` }]);
  const problems = needsProblems(workflow.jobs);
  if (problems.length > 0) throw malformed(name, at, problems);
  return workflow;
}

function malformed(name: string, at: Place, problems: readonly Problem[], cause?: UserError): UserError {
  const message = `expected a workflow that can be called, found one that is wrong: ${quoted(name)}`;
  return refused([{ at, message }, ...problems], {
    ...(cause?.next === undefined ? {} : { next: cause.next }),
    ...(cause === undefined ? {} : { cause }),
  });
}
