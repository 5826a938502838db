import { Code, ConnectError } from '@connectrpc/connect';
import { BackendError, type BackendErrorCode, type BackendErrorInit, isBackendError } from '@forgejo-runner/core';
import { durationFromMs, durationMs } from '@bufbuild/protobuf/wkt';
import { ErrorDetailSchema } from './gen/forgejo/runner/backend/v1/backend_pb.ts';

const statusOf: Readonly<Record<string, Code>> = {
  unsupported: Code.FailedPrecondition,
  config: Code.InvalidArgument,
  label: Code.InvalidArgument,
  plan: Code.InvalidArgument,
  image: Code.NotFound,
  auth: Code.PermissionDenied,
  capacity: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  timeout: Code.DeadlineExceeded,
  lost: Code.Aborted,
  not_found: Code.NotFound,
  cancelled: Code.Canceled,
  internal: Code.Internal,
};

const codeOf: Readonly<Partial<Record<Code, BackendErrorCode>>> = {
  [Code.FailedPrecondition]: 'unsupported',
  [Code.InvalidArgument]: 'plan',
  [Code.OutOfRange]: 'plan',
  [Code.AlreadyExists]: 'plan',
  [Code.NotFound]: 'not_found',
  [Code.PermissionDenied]: 'auth',
  [Code.Unauthenticated]: 'auth',
  [Code.ResourceExhausted]: 'capacity',
  [Code.Unavailable]: 'unavailable',
  [Code.DeadlineExceeded]: 'timeout',
  [Code.Aborted]: 'lost',
  [Code.Canceled]: 'cancelled',
  [Code.Unimplemented]: 'unsupported',
};

/** What a server sends in place of an answer: a status of gRPC, with the words of the contract in its details. */
export function statusOfError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  const known = isBackendError(error) ? error : new BackendError('internal', textOf(error), { cause: error });
  const { retryable, retryAfterMs, resource, hint, unmet } = known.details;
  const value = {
    code: known.code,
    retryable: retryable ?? false,
    ...(retryAfterMs === undefined ? {} : { retryAfter: durationFromMs(retryAfterMs) }),
    resource: resource ?? '',
    hint: hint ?? '',
    unmet: [...(unmet ?? [])],
  };
  const status = statusOf[known.code] ?? Code.Internal;
  return new ConnectError(known.message, status, undefined, [{ desc: ErrorDetailSchema, value }], error);
}

/** What a call to a server failed with, in the words of the contract. `what` is the call in plain words. */
export function errorOfStatus(error: unknown, what: string): BackendError {
  if (isBackendError(error)) return error;
  const status = ConnectError.from(error);
  const [detail] = status.findDetails(ErrorDetailSchema);
  const message = `${what}: ${plain(status.rawMessage)}`;
  if (detail === undefined) return new BackendError(plainCode(status), message, { cause: error });
  const init: BackendErrorInit = {
    cause: error,
    ...(detail.retryable ? { retryable: true } : {}),
    ...(detail.retryAfter === undefined ? {} : { retryAfterMs: durationMs(detail.retryAfter) }),
    ...(detail.resource === '' ? {} : { resource: plain(detail.resource) }),
    ...(detail.hint === '' ? {} : { hint: plain(detail.hint) }),
    ...(detail.unmet.length === 0 ? {} : { unmet: detail.unmet.slice(0, 100).map(plain) }),
  };
  return new BackendError(isWord(detail.code) ? detail.code : 'internal', message, init);
}

/** Is the server out of reach, or was the connection lost? A status that the server sent itself says otherwise. */
export function isConnectionLoss(error: unknown): boolean {
  if (isBackendError(error)) return error.code === 'lost';
  const { isWireError, code } = ConnectError.from(error);
  return !isWireError && lossCodes.has(code);
}

const lossCodes: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.Aborted,
  Code.Canceled,
  Code.Internal,
  Code.Unknown,
]);

function plainCode(status: ConnectError): BackendErrorCode {
  if (!status.isWireError) {
    // What our side found out about a message that it did not take says nothing of capacity.
    if (status.code === Code.ResourceExhausted) return 'internal';
    // How HTTP/2 says that a connection went away under a call. Who cancelled a call himself does not ask.
    if (status.code === Code.Canceled || status.code === Code.Aborted) return 'unavailable';
  }
  return codeOf[status.code] ?? 'internal';
}

function isWord(code: string): boolean {
  return Object.hasOwn(statusOf, code);
}

/** Text of a server, fit for a log. */
export function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are what must not get into a terminal
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd').slice(0, 4000);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
