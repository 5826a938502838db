import { refused, type RepositoryWorkflows, type WorkflowSources } from '../graph/called-workflow.ts';
import { isReference, readActionReference, type RemoteReference } from '../steps/actions/action-reference.ts';
import { loginsFor } from '../steps/actions/action-source.ts';
import type { ActionStore } from '../steps/actions/action-store.ts';
import { GitError } from '../steps/actions/git-error.ts';
import type { StoredRepository } from '../steps/actions/stored-repository.ts';
import type { Workflow } from '../workflow/model.ts';
import { parseWorkflow } from '../workflow/parse-workflow.ts';
import type { Place } from '../workflow/yaml-node.ts';

/** What a run brings to workflows of other repositories. */
export interface RemoteWorkflowsOptions {
  readonly store: Pick<ActionStore, 'open'>;
  /** The run's own instance: where workflows without a server of their own come from, and which `token` is for. */
  readonly serverUrl: string;
  readonly token?: string;
  /** Changes each workflow as the one that the event starts was changed. */
  readonly prepare?: (workflow: Workflow) => Workflow;
}

/** Finds called workflows of other repositories in a store of fetched ones. */
export function remoteWorkflows(options: RemoteWorkflowsOptions): NonNullable<WorkflowSources['openRemote']> {
  return async (uses, at, signal) => {
    const reference = requireRemote(uses, at, options.serverUrl);
    try {
      const stored = await options.store.open(reference, loginsFor(reference, options), signal);
      return { repository: workflowsOf(stored, reference, options), path: reference.path };
    } catch (error) {
      if (!(error instanceof GitError)) throw error;
      const message = `expected to fetch ${reference.ref} of ${reference.url}, found: ${error.message}`;
      throw refused([{ at, message }], { next: 'check server, owner, repository and reference', cause: error });
    }
  };
}

function requireRemote(uses: string, at: Place, defaultUrl: string): RemoteReference {
  const reference = readActionReference(uses, { defaultUrl });
  if (!isReference(reference)) throw refused([{ ...reference, at }]);
  if (reference.kind === 'remote') return reference;
  throw refused([{ at, message: 'expected a workflow of another repository in uses of the job' }]);
}

function workflowsOf(
  stored: StoredRepository,
  { url, ref }: RemoteReference,
  { prepare = (workflow) => workflow }: RemoteWorkflowsOptions,
): RepositoryWorkflows {
  const nameOf = (path: string): string => `${url}/${path}@${ref}`;
  return {
    nameOf,
    find: async (path, signal): Promise<Workflow | undefined> => {
      const text = (await stored.readFiles([path], signal)).get(path)?.toString();
      return text === undefined ? undefined : prepare(parseWorkflow(text, nameOf(path)));
    },
  };
}
