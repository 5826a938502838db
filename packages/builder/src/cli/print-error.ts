import { stripVTControlCharacters, styleText } from 'node:util';
import { UserError, UserErrors } from '../user-error.ts';

/** How errors are printed. */
export interface ErrorStyle {
  readonly isJson: boolean;
  readonly isVerbose: boolean;
  readonly stream: NodeJS.WriteStream;
}

/** Prints whatever ended the command: what is wrong, where, and one next step. */
export function printError(error: unknown, style: ErrorStyle): void {
  const errors = error instanceof UserErrors ? error.errors : [error];
  for (const one of errors) style.stream.write(style.isJson ? `${JSON.stringify(asEvent(one))}\n` : asText(one, style));
}

function asEvent(error: unknown): object {
  if (!(error instanceof UserError)) return { event: 'error', code: 'internal', message: messageOf(error) };
  const { code, message, where, next, details } = error;
  return { event: 'error', code, message, where, next, details };
}

function asText(error: unknown, style: ErrorStyle): string {
  const paint = (format: 'red' | 'bold' | 'dim', text: string): string =>
    styleText(format, text, { stream: style.stream });
  if (!(error instanceof UserError)) {
    const text = style.isVerbose && error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
    return `${paint('red', 'internal error')} ${text}\n  ${paint('dim', 'next:')} this is a defect of the builder; please report it with the output of --verbose\n`;
  }
  const lines = [`${paint('red', error.code)} ${paint('bold', stripVTControlCharacters(error.message))}`];
  if (error.where !== undefined) lines.push(`  ${paint('dim', 'at:')} ${error.where}`);
  lines.push(`  ${paint('dim', 'next:')} ${error.next}`);
  if (style.isVerbose && error.details !== undefined && error.details !== '') lines.push(indent(error.details));
  return `${lines.join('\n')}\n`;
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
