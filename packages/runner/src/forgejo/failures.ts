import { Code, ConnectError } from '@connectrpc/connect';
import type { ErrorCode } from '../error-codes.ts';
import { quoted, UserError } from '../user-error.ts';
import { retryAfterOf } from './retry-after.ts';
import { connectionTrouble } from './connection-trouble.ts';

/** Why an instance did not answer as it should, in words for an administrator. */
export interface InstanceFailure {
  readonly code: ErrorCode;
  readonly message: string;
  /** One next step. */
  readonly next?: string;
  /** Trying again soon makes no sense: a person has to do something first. */
  readonly isRefused: boolean;
  /** The server asked for so much patience. */
  readonly retryAfterMs?: number;
  /** What it was in the protocol's own words, such as `already_exists`. */
  readonly status?: string;
}

/** Thrown by everything that asks an instance. */
export class InstanceError extends Error {
  override readonly name: string = 'InstanceError';
  readonly failure: InstanceFailure;

  constructor(failure: InstanceFailure, cause?: unknown) {
    super(failure.message, cause === undefined ? undefined : { cause });
    this.failure = failure;
  }

  /** For a command that ends here. */
  toUserError(): UserError {
    const { code, message, next } = this.failure;
    return new UserError(code, {
      problems: [{ message }],
      ...(next === undefined ? {} : { next }),
      cause: this,
    });
  }
}

/** What any error of a question to an instance says. */
export function failureOf(error: unknown): InstanceFailure {
  if (error instanceof InstanceError) return error.failure;
  const text = error instanceof Error ? error.message : String(error);
  return { code: 'FRR705', message: `asking the instance failed: ${quoted(text)}`, isRefused: false };
}

/** Where a question went, for messages. */
export interface Asked {
  readonly url: string;
  readonly timeoutMs: number;
}

/** An error of Connect or of the network below it, in our words. */
export function instanceError(error: unknown, asked: Asked): InstanceError {
  if (error instanceof InstanceError) return error;
  const failure = explain(ConnectError.from(error), asked);
  return new InstanceError(failure, error);
}

function explain(error: ConnectError, asked: Asked): InstanceFailure {
  const retryAfterMs = retryAfterOf(error.metadata);
  const common = {
    isRefused: false,
    status: statusNames[error.code],
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
  const trouble = connectionTrouble(error, asked.url);
  if (trouble !== undefined) return { ...common, code: 'FRR701', ...trouble };
  return { ...common, ...explainAnswer(error, asked) };
}

/** An answer came, but not the one that was asked for. */
function explainAnswer(
  error: ConnectError,
  { url, timeoutMs }: Asked,
): Pick<InstanceFailure, 'code' | 'message' | 'next'> & { readonly isRefused?: boolean } {
  const said = quoted(error.rawMessage);
  const html = error.metadata.get('content-type')?.includes('html') === true;
  const location = error.metadata.get('location');
  if (location !== null && /^HTTP 3\d\d$/.test(error.rawMessage)) {
    return {
      code: 'FRR703',
      message: `expected Forgejo Actions at ${url}, found a redirection to ${quoted(location)}`,
      next: 'set the URL of the connection to the address that the instance is really at',
    };
  }
  if (error.code === Code.Unauthenticated || error.code === Code.PermissionDenied) {
    if (html) return page(error, url);
    return {
      code: 'FRR702',
      message: `the instance at ${url} refuses this runner: ${said}`,
      next: 'check uuid and token of the connection; a runner that was deleted on the instance must be registered again',
      isRefused: true,
    };
  }
  if (error.code === Code.DeadlineExceeded || error.code === Code.Canceled) {
    return {
      code: 'FRR701',
      message: `expected an answer of ${url} within ${timeoutMs} ms, found none`,
      next: 'look whether the instance is overloaded; runner.fetch_timeout sets the limit for fetching jobs',
    };
  }
  if (error.code === Code.ResourceExhausted && /readMaxBytes/.test(error.rawMessage)) {
    return { code: 'FRR704', message: `an answer of ${url} is larger than this runner takes: ${said}` };
  }
  if (html) return page(error, url);
  if (/^HTTP \d+$/.test(error.rawMessage) || error.code === Code.Unimplemented) {
    if (isGateway(error.rawMessage)) {
      return { code: 'FRR701', message: `something before the instance at ${url} answers ${error.rawMessage}` };
    }
    return {
      code: 'FRR703',
      message: `expected Forgejo Actions at ${url}, found something that answers ${said}`,
      next: 'check the URL of the connection, with the path where the instance has one, and that Actions are switched on',
      isRefused: true,
    };
  }
  if (/content type|cannot decode|parse|JSON/i.test(error.rawMessage)) {
    return { code: 'FRR704', message: `an answer of ${url} cannot be read: ${said}` };
  }
  return { code: 'FRR705', message: `the instance at ${url} failed: ${said}` };
}

function isGateway(status: string): boolean {
  return /^HTTP (?:408|425|429|5\d\d)$/.test(status);
}

function page(error: ConnectError, url: string): ReturnType<typeof explainAnswer> {
  if (isGateway(error.rawMessage)) {
    return {
      code: 'FRR701',
      message: `something before the instance at ${url} answers with a page, ${error.rawMessage}`,
    };
  }
  return {
    code: 'FRR703',
    message: `expected Forgejo Actions at ${url}, found a web page (${error.rawMessage})`,
    next: 'check the URL of the connection; a proxy that asks people to log in must let /api/actions pass',
    isRefused: true,
  };
}

const statusNames: Readonly<Record<Code, string>> = {
  [Code.Canceled]: 'canceled',
  [Code.Unknown]: 'unknown',
  [Code.InvalidArgument]: 'invalid_argument',
  [Code.DeadlineExceeded]: 'deadline_exceeded',
  [Code.NotFound]: 'not_found',
  [Code.AlreadyExists]: 'already_exists',
  [Code.PermissionDenied]: 'permission_denied',
  [Code.ResourceExhausted]: 'resource_exhausted',
  [Code.FailedPrecondition]: 'failed_precondition',
  [Code.Aborted]: 'aborted',
  [Code.OutOfRange]: 'out_of_range',
  [Code.Unimplemented]: 'unimplemented',
  [Code.Internal]: 'internal',
  [Code.Unavailable]: 'unavailable',
  [Code.DataLoss]: 'data_loss',
  [Code.Unauthenticated]: 'unauthenticated',
};
