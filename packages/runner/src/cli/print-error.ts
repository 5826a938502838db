import { isBackendError, type BackendError } from '@forgejo-runner/core';
import { errorCodes } from '../error-codes.ts';
import { Interruption, type OutputStream } from '../io.ts';
import { problemText, UserError } from '../user-error.ts';
import { exitCodeOfSignal, exitCodes } from './exit-codes.ts';

/** How errors are shown. */
export interface ErrorOptions {
  readonly debug: boolean;
  /** Where users of this distribution find help. */
  readonly support?: string | undefined;
}

/** Writes an error as its reader needs it, and says what the process exits with. */
export function printError(error: unknown, stderr: OutputStream, options: ErrorOptions): number {
  if (error instanceof Interruption) {
    stderr.write(`${error.message}\n`);
    return exitCodeOfSignal(error.by);
  }
  const lines = [...errorLines(error, options.support)];
  if (options.debug) lines.push(...stackLines(error));
  stderr.write(`${lines.map(withoutControls).join('\n')}\n`);
  if (error instanceof UserError) return error.code === 'FRR101' ? exitCodes.usage : exitCodes.failure;
  return isBackendError(error) ? exitCodes.failure : exitCodes.defect;
}

function errorLines(error: unknown, support: string | undefined): readonly string[] {
  if (error instanceof UserError) return userErrorLines(error);
  if (isBackendError(error)) return backendErrorLines(error);
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return [
    `error: unexpected ${text}`,
    `next: this is a defect of the runner; run the command again with --debug and report what it says together with build-info${support === undefined ? '' : ` at ${support}`}`,
  ];
}

function userErrorLines(error: UserError): readonly string[] {
  return [
    `error ${error.code}: ${errorCodes[error.code]}`,
    ...error.problems.map((problem) => indented(problemText(problem))),
    ...(error.next === undefined ? [] : [`next: ${error.next}`]),
  ];
}

function backendErrorLines(error: BackendError): readonly string[] {
  const { hint, unmet } = error.details;
  return [
    `error (backend, ${error.code}): ${error.message}`,
    ...(unmet ?? []).map((need) => indented(`missing: ${need}`)),
    ...(hint === undefined ? [] : [`next: ${hint}`]),
  ];
}

function indented(text: string): string {
  return `  ${text.replaceAll('\n', '\n  ')}`;
}

function stackLines(error: unknown): readonly string[] {
  const lines: string[] = [];
  const seen = new Set<unknown>();
  for (let one = error; one instanceof Error && !seen.has(one); one = one.cause) {
    seen.add(one);
    lines.push(`${lines.length === 0 ? '' : 'caused by '}${one.stack ?? one.message}`);
  }
  return lines;
}

/** Texts of workflows and backends end up in messages: an escape sequence in one must not reach the terminal. */
function withoutControls(text: string): string {
  // Tab and newline stay.
  return text.replaceAll(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
