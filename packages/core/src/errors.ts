import type { Str } from './open-union.ts';
import type { SchemaIssue } from './standard-schema.ts';

/**
 * What went wrong, so that the runner can decide. Whose fault it is and what the runner does:
 *
 * | code | blames | the runner |
 * |---|---|---|
 * | `unsupported` | workflow or label | fails the job before anything starts |
 * | `config`, `label` | administrator | does not start |
 * | `plan` | workflow | fails the job |
 * | `image` | workflow or registry | fails the job, after retries where `retryable` |
 * | `auth` | credentials | fails the job |
 * | `capacity` | nobody | waits until the deadline |
 * | `unavailable` | infrastructure | tries again up to 3 times, with a new name |
 * | `timeout` | infrastructure | fails the job |
 * | `lost` | infrastructure | fails the job: outcome unknown |
 * | `not_found` | caller | treats a file as empty, a removal as done |
 * | `cancelled` | user | reports the job as cancelled |
 * | `internal` | author of the backend | fails the job and names the backend |
 */
export type BackendErrorCode = Str<
  | 'unsupported'
  | 'config'
  | 'label'
  | 'plan'
  | 'capacity'
  | 'image'
  | 'not_found'
  | 'unavailable'
  | 'timeout'
  | 'lost'
  | 'auth'
  | 'internal'
  | 'cancelled'
>;

/** What is known about a failure beside its message. */
export interface BackendErrorInit {
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
  /** Name of the container, machine, file or image. */
  readonly resource?: string;
  /** One next step that works. */
  readonly hint?: string;
  readonly issues?: readonly SchemaIssue[];
  readonly unmet?: readonly string[];
}

// Two copies of this package may be loaded in one process: a brand holds where `instanceof` would not. It is left out
// of the type, where it would make the classes of two copies different.
const brand = Symbol.for('forgejo-runner.backend-error.v1');

/** A failure of infrastructure or configuration. Never the result of a command, never a cancellation in disguise. */
export class BackendError extends Error {
  override readonly name: string = 'BackendError';
  readonly code: BackendErrorCode;
  readonly details: BackendErrorInit;

  constructor(code: BackendErrorCode, message: string, details: BackendErrorInit = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.details = details;
    Object.defineProperty(this, brand, { value: true });
  }
}

/** Is it a {@link BackendError}, of whichever copy of this package? */
export function isBackendError(error: unknown): error is BackendError {
  return typeof error === 'object' && error !== null && brand in error;
}
