import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { errorCodes } from '../error-codes.ts';
import { backendModules } from '../entry/attribution.ts';
import { coreSpecifier, type Resolution } from '../resolve/resolved-package.ts';
import { keyOf, type Store } from '../store/store.ts';
import { throwAll, UserError } from '../user-error.ts';
import type { CheckRequest, CheckSubject, Verdict } from './check-source.ts';

/** What is checked. */
export interface CheckInput {
  readonly resolution: Resolution;
  /** Folder from whose `node_modules` the packages resolve. */
  readonly workDir: string;
  /** Packages that may go without a check that proves something. */
  readonly allowUntyped: ReadonlySet<string>;
}

/** What came of it. */
export interface CheckReport {
  /** Failures that were allowed. */
  readonly warnings: readonly UserError[];
  readonly summary: string;
  /** Files that the verdicts rest on; undefined when something was not checked, so that nobody knows. */
  readonly files: readonly string[] | undefined;
}

const remembered = z.object({ files: z.array(z.tuple([z.string(), z.string()])) });

/**
 * Checks each backend against the API, in a worker thread. A verdict that it fits is remembered with the checksums of
 * all files that it rests on, so that the same package is checked once.
 *
 * @throws UserError `FRB402` to `FRB406`, or UserErrors with those of several packages.
 */
export async function checkBackends(input: CheckInput, store: Store, signal: AbortSignal): Promise<CheckReport> {
  const { resolution, workDir, allowUntyped } = input;
  const subjects = subjectsOf(resolution);
  const keys = subjects.map((subject) => keyOf('check-2', subject, resolution.core.dir, resolution.core.version));
  const known = await Promise.all(keys.map((key) => filesOfKnown(key, store)));
  const open = subjects.filter((_, index) => known[index] === undefined);
  const shared = [resolution.core.name, ...resolution.folders.keys()];
  const request: CheckRequest = { workDir, coreDir: resolution.core.dir, subjects: open, shared };
  const verdicts = open.length === 0 ? [] : await runWorker(request, signal);
  await Promise.all(
    verdicts.map((verdict, index) =>
      remember(keys[subjects.indexOf(open[index] as CheckSubject)] ?? '', verdict, store),
    ),
  );
  const failed = verdicts.flatMap((verdict, index) => failure(verdict, open[index] as CheckSubject));
  const isAllowed = ({ name, error }: { name: string; error: UserError }): boolean =>
    allowUntyped.has(name) && (error.code === 'FRB402' || error.code === 'FRB406');
  throwAll(failed.filter((one) => !isAllowed(one)).map((one) => one.error));
  const warnings = failed.filter(isAllowed).map((one) => one.error);
  const counts = [
    `${open.length} checked`,
    `${subjects.length - open.length} unchanged`,
    `${warnings.length} not checked`,
  ];
  const rests = verdicts.map((one) => (one.kind === 'fits' ? one.files.map(([file]) => file) : undefined));
  const files = warnings.length > 0 ? undefined : [...known, ...rests].flatMap((some) => some ?? []);
  return {
    files,
    warnings,
    summary: counts.filter((count) => !count.startsWith('0 ')).join(', ') || 'nothing to check',
  };
}

function subjectsOf({ backends, core }: Resolution): readonly CheckSubject[] {
  const modules = backendModules(backends);
  return backends.map((backend, index) => ({
    name: backend.name,
    version: backend.version,
    specifier: modules[index]?.specifier ?? backend.name,
    dir: backend.dir,
    api: { specifier: coreSpecifier(backend), version: backend.served?.version ?? core.version },
  }));
}

/** The files of a remembered verdict that still holds. */
async function filesOfKnown(key: string, store: Store): Promise<readonly string[] | undefined> {
  const found = remembered.safeParse(await store.readJson('checks', key));
  if (!found.success) return undefined;
  const current = await Promise.all(found.data.files.map(async ([file, hash]) => (await hashFile(file)) === hash));
  return current.every(Boolean) ? found.data.files.map(([file]) => file) : undefined;
}

async function hashFile(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return createHash('sha256').update(text).digest('hex');
}

async function remember(key: string, verdict: Verdict, store: Store): Promise<void> {
  if (verdict.kind === 'fits') await store.writeJson('checks', key, { files: verdict.files });
}

function failure(verdict: Verdict, subject: CheckSubject): { name: string; error: UserError }[] {
  if (verdict.kind === 'fits') return [];
  const { code, message, where, details } = verdict;
  const next = verdict.next ?? errorCodes[code].next;
  const init = {
    ...(where === undefined ? {} : { where }),
    next: next.replace('NAME', subject.name),
    ...(details === undefined ? {} : { details }),
  };
  return [{ name: subject.name, error: new UserError(code, message, init) }];
}

async function runWorker(request: CheckRequest, signal: AbortSignal): Promise<readonly Verdict[]> {
  signal.throwIfAborted();
  // Beside this file: a .ts when we run from sources, a .js when we are built.
  const file = new URL(`./engine-worker${path.extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(file, { workerData: request });
  const stop = (): void => void worker.terminate();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const answered = once(worker, 'message', { signal }) as Promise<[readonly Verdict[]]>;
    const [verdicts] = await answered;
    return verdicts;
  } finally {
    signal.removeEventListener('abort', stop);
    await worker.terminate();
  }
}
