import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import type {
  EnvironmentInfo,
  EnvironmentRequest,
  ExecHandle,
  ExecRequest,
  ExecResult,
  ExecutionEnvironment,
  Target,
} from '@forgejo-runner/core';
import { unpackTar } from '@forgejo-runner/kit';
import { callContext, type TestContext } from '../call-context.ts';
import { type Capture, captureOutput } from '../capture.ts';
import { openTempFolder } from '../temp-folder.ts';
import { expectThat, show } from './expectations.ts';
import { type TarEntry, tarOf } from './tar-entries.ts';

/** What an exec may have beside its command line. */
export interface ExecOver extends Partial<Omit<ExecRequest, 'argv'>> {
  readonly signal?: AbortSignal;
  /** `$1` and on of a script. */
  readonly args?: readonly string[];
}

/** A process that a check started. */
export interface Started {
  readonly handle: ExecHandle;
  readonly out: Capture;
  readonly err: Capture;
}

/** A process that ended. */
export interface Ran {
  readonly result: ExecResult;
  readonly bytes: Uint8Array;
  readonly out: string;
  readonly err: string;
}

/** A target of a backend, with the short ways that checks need. */
export interface Workplace {
  readonly environment: ExecutionEnvironment;
  readonly request: EnvironmentRequest;
  readonly target: Target;
  readonly info: EnvironmentInfo;
  /** A path in its workspace. */
  readonly path: (...parts: readonly string[]) => string;
  readonly start: (argv: ExecRequest['argv'], over?: ExecOver) => Started;
  readonly run: (argv: ExecRequest['argv'], over?: ExecOver) => Promise<Ran>;
  /** Runs a script of the POSIX shell. */
  readonly sh: (script: string, over?: ExecOver) => Promise<Ran>;
  readonly startSh: (script: string, over?: ExecOver) => Started;
  /** Runs a script that must exit with 0, and gives what it printed. */
  readonly ask: (script: string, over?: ExecOver) => Promise<string>;
  /** Puts entries below a folder; default: the workspace. */
  readonly put: (entries: readonly TarEntry[], dest?: string) => Promise<void>;
  /** The content of a file, through `copyOut`. */
  readonly read: (file: string) => Promise<Buffer>;
}

/** Short enough for a check, long enough for a trap. */
export const quickStop = [
  { signal: 'SIGTERM', graceMs: 500 },
  { signal: 'SIGKILL', graceMs: 0 },
] as const;

/** What a workplace is made of. */
export interface WorkplaceParts {
  readonly environment: ExecutionEnvironment;
  readonly target: Target;
  readonly request: EnvironmentRequest;
  readonly shell: string;
  readonly info?: EnvironmentInfo;
  readonly context: (signal?: AbortSignal) => TestContext;
}

/** The workplace at a target of an environment. */
export function workplaceAt(parts: WorkplaceParts): Workplace {
  const { environment, target, request, shell, context } = parts;
  const info = parts.info ?? environment.info;
  const path = (...names: readonly string[]): string => posix.join(info.paths.workspace, ...names);
  const start: Workplace['start'] = (argv, given = {}) => {
    const { signal, ...over } = given;
    const [out, err] = [captureOutput(), captureOutput()];
    const exec: ExecRequest = {
      argv,
      env: target.baseEnv,
      cwd: info.paths.workspace,
      stdout: out.sink,
      stderr: err.sink,
      stop: quickStop,
      ...over,
    };
    const handle = target.exec(exec, context(signal));
    // A check that fails before it waits must not end the process by a rejection that nobody took.
    handle.result.catch(() => {});
    return { handle, out, err };
  };
  const run: Workplace['run'] = async (argv, over) => ended(start(argv, over));
  const scriptOf = (script: string, over?: ExecOver): ExecRequest['argv'] => {
    return [shell, '-c', script, 'check', ...(over?.args ?? [])];
  };
  const sh: Workplace['sh'] = (script, over) => run(scriptOf(script, over), over);
  return {
    environment,
    request,
    target,
    info,
    path,
    start,
    run,
    sh,
    startSh: (script, over) => start(scriptOf(script, over), over),
    ask: async (script, over) => {
      const { result, out, err } = await sh(script, over);
      const isFine = result.kind === 'exited' && result.code === 0;
      expectThat(isFine, `expected ${show(script)} to exit with 0, found ${show(result)}, ${show(err)}`);
      return out;
    },
    put: (entries, dest = info.paths.workspace) => target.copyIn({ dest, tar: tarOf(entries) }, context()),
    read: (file) => readThrough(target, file),
  };
}

/** Waits for the end of a process. */
export async function ended({ handle, out, err }: Started): Promise<Ran> {
  const result = await handle.result;
  return { result, bytes: out.bytes(), out: out.text(), err: err.text() };
}

async function readThrough(target: Target, file: string): Promise<Buffer> {
  await using folder = await openTempFolder('forgejo-runner-conformance-');
  const tar = target.copyOut({ src: file }, callContext());
  await unpackTar({ tar, dest: folder.path }, new AbortController().signal);
  return readFile(folder.join(posix.basename(file)));
}
