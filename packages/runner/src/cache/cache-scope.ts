import { findProperty, toText, type Value, type ValueMap } from '../expressions/values.ts';

/** What all jobs of a repository may read, and only those write that run what the repository's own people wrote. */
export const sharedScope: string = '';

/** Which entries of its repository a job sees, and where its own go. */
export interface CacheScope {
  /** In the order in which they are asked. */
  readonly read: readonly string[];
  /** Absent: the job may not write. */
  readonly write?: string;
}

/**
 * The scope of a job, from its `github` context. A pull request may be a stranger's: what it writes, only it reads.
 *
 * The name of the event alone does not tell: jobs of a called workflow come as `workflow_call`, whatever started the
 * run. The ref does, because a run of a pull request's code has the ref of that pull request. Where the two do not fit
 * together the job reads what is shared and writes nothing.
 */
export function cacheScope(github: ValueMap): CacheScope {
  const event = toText(findProperty(github, 'event_name') ?? null);
  const payload = findProperty(github, 'event') ?? null;
  const request = fieldOf(payload, 'pull_request');
  const ref = toText(findProperty(github, 'ref') ?? null);
  const [, number] = /^refs\/pull\/([^/]+)\/\w+$/.exec(ref) ?? [];
  if (number !== undefined) {
    // Somebody who may write to the repository merged it: its code is the repository's now.
    const isMerged = fieldOf(payload, 'action') === 'closed' && fieldOf(request, 'merged') === true;
    return isMerged ? shared : own(`refs/pull/${number}/head`);
  }
  // Runs on the base branch, with the workflow of the base branch.
  if (event === 'pull_request_target') return shared;
  if (request === null && !event.startsWith('pull_request')) return shared;
  const known = toText(fieldOf(request, 'number'));
  return /^[0-9]+$/.test(known) ? own(`refs/pull/${known}/head`) : { read: [sharedScope] };
}

const shared: CacheScope = { read: [sharedScope], write: sharedScope };

function own(scope: string): CacheScope {
  return { read: [scope, sharedScope], write: scope };
}

function fieldOf(value: Value, name: string): Value {
  return value instanceof Map ? (value.get(name) ?? null) : null;
}
