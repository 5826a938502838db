import { readFile } from 'node:fs/promises';
import { shownPath } from '../shown-path.ts';
import { type Problem, UserError } from '../user-error.ts';
import type { RepositoryContext } from './repository-context.ts';

/** A JSON object as `JSON.parse` leaves it. */
export type JsonObject = Readonly<Record<string, unknown>>;

const noCommit = '0'.repeat(40);

/**
 * The payload of an event as far as a checkout can tell: what actions read most, under the names that an instance uses.
 * For more there is {@link readEventPayload}.
 */
export function makeEventPayload(event: string, context: RepositoryContext): JsonObject {
  const sender = { login: context.actor, username: context.actor };
  const repository = {
    name: context.name,
    full_name: context.repository,
    owner: { login: context.owner, username: context.owner },
    default_branch: context.defaultBranch,
    html_url: `${context.serverUrl}/${context.repository}`,
    clone_url: `${context.serverUrl}/${context.repository}.git`,
    private: false,
  };
  return { ...ownFields(event, context, { sender, repository }), repository, sender };
}

interface CommonFields {
  readonly sender: JsonObject;
  readonly repository: JsonObject;
}

function ownFields(event: string, context: RepositoryContext, common: CommonFields): JsonObject {
  const { ref, refName, sha, defaultBranch } = context;
  switch (event) {
    case 'push':
      return { ref, before: noCommit, after: sha, commits: [], head_commit: { id: sha }, pusher: common.sender };
    case 'pull_request':
    case 'pull_request_target':
      return { action: 'opened', number: 1, pull_request: pullRequest(context, common) };
    case 'workflow_dispatch':
      return { ref, inputs: {} };
    case 'create':
    case 'delete':
      return { ref: refName, ref_type: context.refType };
    case 'issues':
      return { action: 'opened', issue: { number: 1, title: '', state: 'open', user: common.sender } };
    case 'release':
      return { action: 'published', release: { tag_name: refName, target_commitish: defaultBranch, draft: false } };
    case 'schedule':
      return { schedule: '' };
    default:
      return {};
  }
}

function pullRequest(context: RepositoryContext, { sender, repository }: CommonFields): JsonObject {
  const { refName, sha, defaultBranch } = context;
  return {
    number: 1,
    title: refName,
    state: 'open',
    draft: false,
    merged: false,
    user: sender,
    head: { ref: refName, sha, repo: repository },
    base: { ref: defaultBranch, sha, repo: repository },
  };
}

/** Reads a payload from a file. @throws {UserError} `FRR102` or `FRR103`. */
export async function readEventPayload(path: string, cwd: string): Promise<JsonObject> {
  const shown = JSON.stringify(shownPath(path, cwd));
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const found = (error as NodeJS.ErrnoException).code;
    throw wrong('FRR102', { message: `expected a readable file with an event at ${shown}, found ${found}` }, error);
  }
  const expected = `expected a JSON object in ${shown}`;
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw wrong('FRR103', { message: `${expected}, found text that is not JSON` }, error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong('FRR103', { message: `${expected}, found another value` });
  }
  return value as JsonObject;
}

function wrong(code: 'FRR102' | 'FRR103', problem: Problem, cause?: unknown): UserError {
  return new UserError(code, { problems: [problem], cause, next: 'name a file such as {"ref": "refs/heads/main"}' });
}
