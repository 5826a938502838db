import { errorCodes } from '../error-codes.ts';
import { UserError, UserErrors } from '../user-error.ts';

/** What the exit code of the command says. Also in docs/reference/cli-builder.md. */
export const exitCodes = {
  done: 0,
  internal: 1,
  usage: 2,
  resolution: 3,
  compatibility: 4,
  bundling: 5,
  packaging: 6,
  gate: 7,
  notReproduced: 8,
  /** As shells report SIGINT. */
  interrupted: 130,
} as const;

/** The exit code for whatever ended the command. Of several errors the first decides. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UserError) return errorCodes[error.code].exit;
  if (error instanceof UserErrors && error.errors[0] !== undefined) return errorCodes[error.errors[0].code].exit;
  return exitCodes.internal;
}
