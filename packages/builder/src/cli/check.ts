import path from 'node:path';
import { stripVTControlCharacters, styleText } from 'node:util';
import { checkPackage, type PackageCheckReport } from '../lint/check-package.ts';
import type { Finding } from '../lint/finding.ts';
import { parseSize, parseTime, sizeText } from '../manifest/units.ts';
import { UserError } from '../user-error.ts';
import type { CheckFlags } from './define-check.ts';
import { exitCodes } from './exit-codes.ts';
import { openProgress } from './print-progress.ts';

/** The command `check`. Resolves to its exit code. @throws UserError `FRB524` when the package has errors. */
export async function checkCommand(dir: string, flags: CheckFlags, signal: AbortSignal): Promise<number> {
  const isJson = flags.logFormat === 'json';
  const report = await runCheck(dir, flags, signal);
  const { findings, mended, name } = report;
  if (isJson) process.stdout.write(`${JSON.stringify({ event: 'checked', ...report })}\n`);
  else {
    for (const finding of mended) process.stdout.write(`${mark('green', '✔')} mended ${asText(finding)}`);
    for (const finding of findings) process.stdout.write(`${signOf(finding)} ${asText(finding)}`);
    process.stdout.write(`${summary(report)}\n`);
  }
  const counted = findings.filter(({ severity }) => severity === 'error' || flags.strict === true);
  if (counted.length === 0) return exitCodes.done;
  const ids = [...new Set(counted.map(({ rule }) => rule))].join(', ');
  const next = counted.some(({ isFixable }) => isFixable) ? { next: 'mend what is named, some of it by --fix' } : {};
  throw new UserError('FRB524', `expected nothing against ${name}, found ${ids}`, next);
}

async function runCheck(dir: string, flags: CheckFlags, signal: AbortSignal): Promise<PackageCheckReport> {
  const cwd = process.cwd();
  const { maxSize, maxImport, cacheDir } = flags;
  const limits = {
    ...(maxSize === undefined ? {} : { sizeBytes: parseSize(maxSize, '--max-size') }),
    ...(maxImport === undefined ? {} : { importMs: parseTime(maxImport, '--max-import') }),
  };
  // Lines also on a terminal: the findings below would break a living list.
  await using progress = await openProgress(flags.logFormat === 'auto' ? 'plain' : flags.logFormat, []);
  return checkPackage({
    dir: path.resolve(cwd, dir),
    isFixing: flags.fix === true,
    limits,
    onEvent: progress.onEvent,
    signal,
    ...(cacheDir === undefined ? {} : { cacheDir: path.resolve(cwd, cacheDir) }),
  });
}

function mark(color: 'green' | 'red' | 'yellow', sign: string): string {
  return styleText(color, sign, { stream: process.stdout });
}

function signOf({ severity }: Finding): string {
  return severity === 'error' ? mark('red', '✖') : mark('yellow', '!');
}

function asText({ rule, message, where, next, isFixable }: Finding): string {
  const lines = [
    `${rule}: ${message}`,
    `    at: ${path.relative(process.cwd(), where) || '.'}`,
    `    next: ${next}${isFixable ? ' (--fix does it)' : ''}`,
  ];
  return `${stripVTControlCharacters(lines.join('\n'))}\n`;
}

function summary({ name, version, findings, mended, ...costs }: PackageCheckReport): string {
  const { bundledBytes, importMs, publishedBytes } = costs;
  const count = (severity: Finding['severity']): number => findings.filter((one) => one.severity === severity).length;
  const parts = [
    `${count('error')} errors, ${count('warning')} warnings${mended.length === 0 ? '' : `, ${mended.length} mended`}`,
    ...(bundledBytes === undefined ? [] : [`adds ${sizeText(bundledBytes)} to a runner`]),
    ...(importMs === undefined ? [] : [`imported in ${Math.round(importMs)} ms`]),
    ...(publishedBytes === undefined ? [] : [`download of ${sizeText(publishedBytes)}`]),
  ];
  return `${name}@${version}: ${parts.join('; ')}`;
}
