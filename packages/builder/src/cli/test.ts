import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stripVTControlCharacters, styleText } from 'node:util';
import type { TestedCheck, TestVerdict } from '../gate/suite-run.ts';
import { testBackend } from '../test-backend.ts';
import { UserError } from '../user-error.ts';
import type { TestFlags } from './define-test.ts';
import { exitCodes } from './exit-codes.ts';
import { openProgress } from './print-progress.ts';

/** The command `test`. Resolves to its exit code. @throws UserError `FRB523` when a check failed. */
export async function testCommand(spec: string, flags: TestFlags, signal: AbortSignal): Promise<number> {
  const cwd = process.cwd();
  const isJson = flags.logFormat === 'json';
  const verdict = await runTest(spec, { cwd, isJson }, flags, signal);
  const file = path.resolve(cwd, flags.verdict ?? 'conformance.json');
  await writeVerdict(file, verdict);
  const { backend, suite, passed, failed, skipped, isPassed } = verdict;
  if (isJson) process.stdout.write(`${JSON.stringify({ event: 'tested', file, verdict })}\n`);
  else {
    const counts = `${passed} passed, ${failed} failed, ${skipped} skipped`;
    process.stdout.write(`backend ${backend}, suite ${suite}, lane ${flags.lane}: ${counts}; verdict in ${file}\n`);
  }
  if (isPassed) return exitCodes.done;
  const ids = verdict.checks.filter(({ status }) => status === 'failed').map(({ id }) => id);
  throw new UserError('FRB523', `expected backend ${backend} to pass, found ${ids.join(', ')} failed`);
}

async function runTest(
  spec: string,
  { cwd, isJson }: { readonly cwd: string; readonly isJson: boolean },
  flags: TestFlags,
  signal: AbortSignal,
): Promise<TestVerdict> {
  // Lines also on a terminal: the checks below would break a living list.
  await using progress = await openProgress(flags.logFormat === 'auto' ? 'plain' : flags.logFormat, []);
  return testBackend({
    spec,
    cwd,
    lane: flags.lane,
    signal,
    onEvent: progress.onEvent,
    onCheck: (result) => {
      const line = isJson ? JSON.stringify({ event: 'check', ...result }) : checkLine(result);
      process.stdout.write(`${line}\n`);
    },
    ...(flags.runner === undefined ? {} : { runner: flags.runner }),
    ...(flags.config === undefined ? {} : { config: flags.config }),
    ...(flags.allowUntyped === undefined ? {} : { allowUntyped: flags.allowUntyped }),
    ...(flags.cacheDir === undefined ? {} : { cacheDir: path.resolve(cwd, flags.cacheDir) }),
  });
}

const signs = { passed: ['green', '✔'], failed: ['red', '✖'], skipped: ['dim', '–'] } as const;

function checkLine({ id, title, status, reason, ms }: TestedCheck): string {
  const [color, sign] = signs[status];
  const first = `${styleText(color, sign, { stream: process.stdout })} ${id} ${title} (${ms} ms)`;
  if (reason === undefined) return first;
  return `${first}\n      ${stripVTControlCharacters(reason).replaceAll('\n', '\n      ')}`;
}

async function writeVerdict(file: string, verdict: TestVerdict): Promise<void> {
  try {
    await writeFile(file, `${JSON.stringify(verdict, undefined, 2)}\n`);
  } catch (error) {
    throw new UserError('FRB602', `cannot write the verdict to ${file}`, { cause: error });
  }
}
