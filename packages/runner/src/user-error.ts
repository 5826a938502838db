import type { ErrorCode } from './error-codes.ts';
import type { Place } from './workflow/yaml-node.ts';

/** One thing that somebody can put right, with its place where there is one. */
export interface Problem {
  /** "expected …, found …", without a full stop. Holds no secret. */
  readonly message: string;
  readonly at?: Place;
}

/** An error that a user, an administrator or an author can fix. All problems that were found are in it, not the first. */
export class UserError extends Error {
  override readonly name: string = 'UserError';
  readonly code: ErrorCode;
  readonly problems: readonly Problem[];
  /** The next step that works. */
  readonly next?: string;

  constructor(
    code: ErrorCode,
    details: { readonly problems: readonly Problem[]; readonly next?: string; readonly cause?: unknown },
  ) {
    super(
      details.problems.map(problemText).join('\n'),
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.code = code;
    this.problems = details.problems;
    if (details.next !== undefined) this.next = details.next;
  }
}

/** A problem in one line: `file:line:column: message`. */
export function problemText(problem: Problem): string {
  if (problem.at === undefined) return problem.message;
  return `${problem.at.file}:${problem.at.line}:${problem.at.column}: ${problem.message}`;
}

/** A value as it may stand in a message: quoted, on one line, cut to 200 characters. */
export function quoted(value: string): string {
  const cut = value.length > 200 ? `${value.slice(0, 200)}…` : value;
  return JSON.stringify(cut);
}
