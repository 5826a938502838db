import { type ErrorCode, errorCodes } from './error-codes.ts';

/** What is known about a {@link UserError} beside its message. */
export interface UserErrorInit {
  /** Instead of the next step in the table of codes. */
  readonly next?: string;
  /** File, with line and column where known. */
  readonly where?: string;
  /** Printed with `--verbose`. */
  readonly details?: string;
  readonly cause?: unknown;
}

/** Something that whoever runs the builder can fix. Everything else that is thrown is a defect of the builder. */
export class UserError extends Error {
  override readonly name: string = 'UserError';
  readonly code: ErrorCode;
  readonly next: string;
  readonly where: string | undefined;
  readonly details: string | undefined;

  constructor(code: ErrorCode, message: string, init: UserErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = code;
    this.next = init.next ?? errorCodes[code].next;
    this.where = init.where;
    this.details = init.details;
  }
}

/** Several of them at once: all packages are looked at before the first complaint. */
export class UserErrors extends Error {
  override readonly name: string = 'UserErrors';
  readonly errors: readonly UserError[];

  constructor(errors: readonly UserError[]) {
    super(errors.map((error) => `${error.code} ${error.message}`).join('\n'));
    this.errors = errors;
  }
}

/** Throws what was gathered, one error as itself. Does nothing for an empty list. */
export function throwAll(errors: readonly UserError[]): void {
  const [first, ...others] = errors;
  if (first === undefined) return;
  throw others.length === 0 ? first : new UserErrors(errors);
}

/** A value as it may stand in a message: quoted, in one line, cut to 200 characters. */
export function quoted(value: string): string {
  const text = value.length > 200 ? `${value.slice(0, 200)}…` : value;
  return JSON.stringify(text);
}

/** Text of another program as it may stand in a message: without control characters, cut at its end. */
export function shown(text: string, limit = 2000): string {
  const clean = text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '').trim();
  return clean.length > limit ? `${clean.slice(0, limit)}…` : clean;
}
