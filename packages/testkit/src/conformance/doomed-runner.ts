import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isAbsolute } from 'node:path';
import type { Owner } from '@forgejo-runner/core';
import { Nonconformance } from './expectations.ts';
import type { ConformanceOptions } from './options.ts';
import { within } from './stage.ts';

/** Where a runner is when it is killed. */
export const crashPhases = ['opened', 'creating', 'created', 'copying-in', 'exec', 'copying-out', 'removing'] as const;

/** One of {@link crashPhases}. */
export type CrashPhase = (typeof crashPhases)[number];

/** `suspended` runs a process that ends while the runner sleeps, and tells what it saw of it. */
type DoomedPhase = CrashPhase | 'suspended';

/** What a runner in a process of its own is to do until it is killed. */
export interface DoomedTask {
  readonly owner: Owner;
  readonly stateDir: string;
  readonly name: string;
  readonly phase: DoomedPhase;
  readonly expiresInMs: number;
}

/** A runner in a process of its own. */
export interface Doomed {
  /** Resolves when it got to its phase. */
  readonly reached: Promise<unknown>;
  readonly freeze: () => void;
  readonly thaw: () => void;
  /** The rest of the first line that begins so. */
  readonly said: (beginning: string) => Promise<string>;
  /** With SIGKILL, and waits until it is gone. */
  readonly kill: () => Promise<void>;
}

const startMs = 60_000;

/** Starts a process that loads the options and does something with the backend, to be killed in the midst of it. */
export async function startDoomed(subject: string, task: DoomedTask): Promise<Doomed> {
  const program = fileURLToPath(new URL(`doomed-process${extension()}`, import.meta.url));
  const args = [...sourceFlags(), program, subject, JSON.stringify(task)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => void (words = (words + chunk.toString()).slice(-2000)));
  const lines = createInterface({ input: child.stdout });
  const said: Doomed['said'] = async (beginning) => {
    const heard = Promise.withResolvers<string>();
    const onLine = (text: string): void => {
      if (text.startsWith(beginning)) heard.resolve(text.slice(beginning.length));
    };
    lines.on('line', onLine);
    lines.once('close', () => {
      const problem = `expected a runner in a process of its own to get to "${task.phase}", found: ${words}`;
      heard.reject(new Nonconformance(problem));
    });
    return heard.promise.finally(() => lines.off('line', onLine));
  };
  const reached = within(said(task.phase), startMs, `a runner on its way to "${task.phase}"`);
  reached.catch(() => {});
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  return {
    reached,
    said,
    kill,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
  };
}

/** Loads the options that a module exports as `conformance`. @throws Nonconformance where it has none. */
export async function loadSubject(subject: string): Promise<ConformanceOptions> {
  const url = isAbsolute(subject) ? pathToFileURL(subject).href : subject;
  const loaded: unknown = await import(url);
  const isModule = typeof loaded === 'object' && loaded !== null && 'conformance' in loaded;
  if (!isModule) throw new Nonconformance(`expected ${subject} to export "conformance", found no such export`);
  // The module says so by `defineConformance`.
  return { ...(loaded.conformance as ConformanceOptions), subject };
}

function extension(): string {
  return import.meta.filename.endsWith('.ts') ? '.ts' : '.js';
}

/** In a checkout that was not built, packages of ours are found as sources. */
function sourceFlags(): readonly string[] {
  return extension() === '.ts' ? ['--conditions=@forgejo-runner/source'] : [];
}
