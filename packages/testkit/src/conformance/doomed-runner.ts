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

/** What a runner in a process of its own is to do until it is killed. */
export interface DoomedTask {
  readonly owner: Owner;
  readonly stateDir: string;
  readonly name: string;
  readonly phase: CrashPhase;
  readonly expiresInMs: number;
}

/** A runner in a process of its own. */
export interface Doomed {
  /** Resolves when it got to its phase. */
  readonly reached: Promise<void>;
  readonly freeze: () => void;
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
  const line = (async () => {
    for await (const text of createInterface({ input: child.stdout })) if (text === task.phase) return;
    throw new Nonconformance(`expected a runner in a process of its own to get to "${task.phase}", found: ${words}`);
  })();
  const reached = within(line, startMs, `a runner on its way to "${task.phase}"`);
  reached.catch(() => {});
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  return { reached, kill, freeze: () => void child.kill('SIGSTOP') };
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
