import type { ActionAccess, ActionSource } from '../../plan/job-actions.ts';
import { quoted, UserError } from '../../user-error.ts';
import type { Action } from '../../workflow/model.ts';
import { parseAction } from '../../workflow/parse-action.ts';
import type { Place } from '../../workflow/yaml-node.ts';
import {
  type ActionReference,
  type Credentials,
  isReference,
  readActionReference,
  type RemoteReference,
  withoutCredentials,
} from './action-reference.ts';
import type { ActionStore } from './action-store.ts';
import { GitError, type GitFailure } from './git-error.ts';
import type { StoredRepository } from './stored-repository.ts';

/** An action in a repository that was fetched, with its definition. */
export interface RemoteAction {
  readonly uses: string;
  readonly reference: RemoteReference;
  readonly action: Action;
  readonly repository: StoredRepository;
}

/** Finds remote actions in a store. `defaultUrl` is where actions without a server come from, unless a task says. */
export function openActionSource(store: ActionStore, options: { readonly defaultUrl: string }): ActionSource {
  return {
    find: async (uses, at, access, signal) => {
      const reference = requireReference(uses, at, access.defaultUrl ?? options.defaultUrl);
      if (reference.kind !== 'remote') throw refused(at, `expected a remote action, found ${quoted(uses)}`);
      try {
        const repository = await store.open(reference, loginsFor(reference, access), signal);
        return { uses, reference, repository, action: await readDefinition(reference, repository, at, signal) };
      } catch (error) {
        throw error instanceof GitError ? explained(error, reference, at) : error;
      }
    },
  };
}

/**
 * Reads what a step uses.
 *
 * @throws UserError `FRR602` for a text that names no action.
 */
export function requireReference(uses: string, at: Place, defaultUrl: string): ActionReference {
  const read = readActionReference(uses, { defaultUrl });
  if (isReference(read)) return read;
  throw refused(at, read.message);
}

/** A login in the address is for that address; the token of the job is for the job's own instance and nobody else. */
export function loginsFor(
  reference: RemoteReference,
  access: Pick<ActionAccess, 'serverUrl' | 'token'>,
): readonly Credentials[] {
  if (reference.credentials !== undefined) return [reference.credentials];
  const own = access.serverUrl === undefined ? undefined : URL.parse(access.serverUrl)?.href.replace(/\/+$/, '');
  if (reference.origin !== own || access.token === undefined || access.token === '') return [];
  return [{ username: 'x-access-token', password: access.token }];
}

async function readDefinition(
  reference: RemoteReference,
  repository: StoredRepository,
  at: Place,
  signal: AbortSignal,
): Promise<Action> {
  const paths = ['action.yml', 'action.yaml', 'Dockerfile'].map((name) =>
    reference.path === '' ? name : `${reference.path}/${name}`,
  );
  const files = await repository.readFiles(paths, signal);
  for (const path of paths.slice(0, 2)) {
    const text = files.get(path)?.toString();
    if (text !== undefined) return parseAction(text, `${reference.repository}/${path}`);
  }
  // A Dockerfile alone is an action as well, without inputs.
  const [dockerfile = ''] = paths.slice(2);
  if (files.has(dockerfile)) return dockerfileAction(`${reference.repository}/${dockerfile}`);
  const where = reference.path === '' ? 'at its root' : `in ${quoted(reference.path)}`;
  throw refused(
    at,
    `expected action.yml, action.yaml or a Dockerfile ${where} of ${what(reference)}, found none of them`,
  );
}

/** The action that a Dockerfile without a definition is. */
export function dockerfileAction(file: string): Action {
  const at = { file, line: 1, column: 1 };
  const runs = { kind: 'docker', image: 'Dockerfile', args: [], at } as const;
  return { file, inputs: new Map(), outputs: new Map(), runs, notices: [] };
}

const advice: Readonly<Record<GitFailure, string>> = {
  'no-git': 'install git on the machine of the runner',
  auth: 'a private action needs a login: the token of the job is given to its own instance only',
  'no-repository': 'check owner and repository; without a server, actions come from the default one',
  'no-ref': 'check the tag, branch or commit',
  network: 'check that the machine of the runner reaches the server, and run the job again',
  timeout: 'check that the machine of the runner reaches the server, and run the job again',
  other: 'git of the machine of the runner failed; its own words are in the message',
};

function explained(error: GitError, reference: RemoteReference, at: Place): UserError {
  return new UserError('FRR602', {
    problems: [{ at, message: `expected to fetch ${what(reference)}, found: ${error.message}` }],
    next: advice[error.failure],
    cause: error,
  });
}

function what({ url, ref }: RemoteReference): string {
  return `${ref} of ${withoutCredentials(url)}`;
}

function refused(at: Place, message: string): UserError {
  return new UserError('FRR602', { problems: [{ at, message }], next: 'correct uses of the step' });
}
