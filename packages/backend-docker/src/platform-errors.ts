import { BackendError, type BackendErrorCode, isBackendError } from '@forgejo-runner/core';
import { errnoOf } from '@forgejo-runner/kit';

/** How an engine that cannot be talked to shows, by Node's codes. */
const unreachable: Readonly<Record<string, { readonly text: string; readonly hint: string }>> = {
  ENOENT: { text: 'there is no socket', hint: 'start the engine, or correct the key "endpoint" of the backend' },
  ECONNREFUSED: {
    text: 'nobody listens there',
    hint: 'start the engine, or correct the key "endpoint" of the backend',
  },
  EACCES: {
    text: 'permission denied',
    hint: 'give the user of the runner access to the socket, for instance by the group docker',
  },
  ENOTFOUND: { text: 'its host has no address', hint: 'correct the key "endpoint" of the backend' },
  EAI_AGAIN: { text: 'its host could not be looked up', hint: 'look at the name servers of this machine' },
  EHOSTUNREACH: { text: 'its host cannot be reached', hint: 'look at the network between runner and engine' },
  ENETUNREACH: { text: 'its network cannot be reached', hint: 'look at the network between runner and engine' },
  ETIMEDOUT: { text: 'it does not answer', hint: 'look at the network between runner and engine' },
  ECONNRESET: { text: 'it closed the connection', hint: 'look at the log of the engine: it may have been restarted' },
  EPIPE: { text: 'it closed the connection', hint: 'look at the log of the engine: it may have been restarted' },
  ECONNABORTED: { text: 'it closed the connection', hint: 'look at the log of the engine: it may have been restarted' },
  ABORT_ERR: { text: 'the connection was given up', hint: 'look whether the engine is overloaded' },
};

/** What a status of the engine's answer means, where its words say nothing more exact. */
const byStatus: Readonly<Record<number, BackendErrorCode>> = {
  400: 'plan',
  401: 'auth',
  403: 'auth',
  404: 'not_found',
  409: 'plan',
};

/** Full disks come as an error of the engine's own, in these words. */
const diskFull = /no space left on device|disk quota exceeded/i;

/**
 * Says what went wrong between us and an engine. A `BackendError` comes back as it is. `doing` is an infinitive:
 * `start the container`.
 */
export function engineError(error: unknown, doing: string, resource?: string): BackendError {
  if (isBackendError(error)) return error;
  const details = { cause: error, ...(resource === undefined ? {} : { resource }) };
  const status = statusOf(error);
  if (status !== undefined) {
    const said = engineWords(error);
    if (diskFull.test(said)) {
      const hint = 'free space on the disk of the engine, for instance with "docker system prune"';
      return new BackendError('unavailable', `cannot ${doing}: the disk of the engine is full: ${said}`, {
        ...details,
        hint,
      });
    }
    // What is left is a failure of the engine itself.
    const code = byStatus[status] ?? 'unavailable';
    return new BackendError(code, `cannot ${doing}: the engine says "${said}"`, details);
  }
  const errno = errnoOf(error) ?? '';
  const known = unreachable[errno];
  if (known !== undefined) {
    const { text, hint } = known;
    return new BackendError('unavailable', `cannot ${doing}: no answer from the engine: ${text} (${errno})`, {
      ...details,
      hint,
    });
  }
  return new BackendError(errno === '' ? 'internal' : 'unavailable', `cannot ${doing}: ${messageOf(error)}`, details);
}

/** The status of an engine's answer, where there was one. */
export function statusOf(error: unknown): number | undefined {
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : undefined;
  return typeof status === 'number' ? status : undefined;
}

/** What an engine said, without what the client puts around it; one line, and no longer than a reader wants. */
export function engineWords(error: unknown): string {
  const text = messageOf(error).replace(/^\(HTTP code \d+\) [^-]*- /, '');
  return text
    .trim()
    .replaceAll(/\s*\n\s*/g, '; ')
    .slice(0, 500);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
