import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Bundle } from '../bundle/bundle.ts';
import { type Execution, howToExecute } from '../gate/how-to-execute.ts';
import type { Artefact } from '../gate/smoke-run.ts';
import type { BaseSource } from './base-binary.ts';
import { makeExecutables } from './executables.ts';
import { outputOf, type Target } from './target.ts';

/** A finished result in the work folder, and where it goes. */
export interface Output {
  /** Undefined for a JavaScript file, which runs on all of them. */
  readonly target: Target | undefined;
  readonly file: string;
  readonly destination: string;
  readonly sizeBytes: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
  /** How it will be started, or why not. */
  readonly execution: Execution;
  /** Undefined where it cannot be started on this machine. */
  readonly start: Artefact | undefined;
}

/** The bundle as one JavaScript file. */
export async function scriptOutput(bundle: Bundle, destination: string, workDir: string): Promise<Output> {
  const file = path.join(workDir, 'result.mjs');
  await writeFile(file, bundle.code);
  return {
    target: undefined,
    file,
    destination,
    sizeBytes: Buffer.byteLength(bundle.code),
    sha256: createHash('sha256').update(bundle.code).digest('hex'),
    execution: { kind: 'here' },
    start: { command: process.execPath, args: [file] },
  };
}

/** The bundle as one executable for each target. @throws UserError as {@link makeExecutables} */
export async function executableOutputs(
  bundle: Bundle,
  { targets, destination }: { readonly targets: readonly Target[]; readonly destination: string },
  source: BaseSource & { readonly workDir: string; readonly env: Readonly<Record<string, string | undefined>> },
  signal: AbortSignal,
): Promise<readonly Output[]> {
  const made = await makeExecutables(bundle, targets, source, signal);
  return Promise.all(
    made.map(async (one) => {
      const how = await howToExecute(one.target, source.env);
      const start = 'before' in how ? startOf(one.file, how.before) : undefined;
      const { execution } = how;
      return { ...one, destination: outputOf(destination, one.target, targets.length), execution, start };
    }),
  );
}

function startOf(file: string, before: readonly string[]): Artefact {
  const [command, ...args] = before;
  return command === undefined ? { command: file, args: [] } : { command, args: [...args, file], isEmulated: true };
}
