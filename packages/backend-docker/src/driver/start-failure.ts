import { BackendError, type ExecRequest, type OutputSink } from '@forgejo-runner/core';
import { requestTooBig, sizeOfRequest } from '@forgejo-runner/kit';
import type { ExecEnd } from './engine-exec.ts';

/** No engine says more than this about a process that it could not start. */
const limitBytes = 16 * 1024;
/** How engines begin to say it, in place of the process's output: Docker on its first stream, podman on its second. */
const beginnings = ['OCI runtime ', 'Error: ', 'unable to find ', 'no matching entries', 'exec '];

/**
 * Keeps back what looks like an engine's word about a process that could not be started, because engines put it into
 * the output of that process. It is handed on as soon as the process writes anything else.
 */
export class StartWatch {
  readonly stdout: OutputSink;
  readonly stderr: OutputSink;
  #held: { readonly sink: OutputSink; readonly chunk: Uint8Array }[] | undefined = [];
  #bytes = 0;

  constructor({ stdout, stderr }: Pick<ExecRequest, 'stdout' | 'stderr'>) {
    this.stdout = (chunk) => this.#take(stdout, chunk);
    this.stderr = (chunk) => this.#take(stderr, chunk);
  }

  /** What was kept back, as text. */
  text(): string {
    return Buffer.concat((this.#held ?? []).map(({ chunk }) => chunk)).toString('utf8');
  }

  /** Hands on what was kept back: it was the process's own. */
  async release(): Promise<void> {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const { sink, chunk } of held) await sink(chunk);
  }

  async #take(sink: OutputSink, chunk: Uint8Array): Promise<void> {
    if (this.#held !== undefined) {
      this.#bytes += chunk.length;
      if (this.#bytes <= limitBytes && looksLikeFailure(chunk)) {
        this.#held.push({ sink, chunk: Uint8Array.from(chunk) });
        return;
      }
      await this.release();
    }
    await sink(chunk);
  }
}

function looksLikeFailure(chunk: Uint8Array): boolean {
  const text = Buffer.from(chunk.subarray(0, 40)).toString('latin1');
  return beginnings.some((beginning) => text.startsWith(beginning));
}

/** What the system takes as one argument or variable, with its end. Source: MAX_ARG_STRLEN of Linux. */
const maxTextBytes = 128 * 1024;
/** From here on the limit of all together may be reached, which each system has its own of. */
const manyBytes = 512 * 1024;

/** @throws BackendError `plan` for an argument or variable that Linux takes in no case. */
export function checkSizes(request: ExecRequest): void {
  if (sizeOfRequest(request).largest.bytes > maxTextBytes) throw requestTooBig(request);
}

/** Why a process was not started; undefined where it was, and `said` is its own output. */
export function startFailure(
  request: ExecRequest,
  { code, wasStarted }: ExecEnd,
  said: string,
): BackendError | undefined {
  const isTooBig = code === 1 && /^exec [^\n]*: argument list too long\n$/.test(said);
  if (isTooBig && sizeOfRequest(request).total > manyBytes) return requestTooBig(request);
  if (wasStarted === true || code < 125 || code > 127 || said === '') return undefined;
  // Where the engine does not tell, its words have to be those of a runtime.
  if (wasStarted === undefined && !/^Error: (?:runc|crun|youki|kata|runsc|OCI)\b/.test(said) && !/OCI /.test(said))
    return undefined;
  return wordsToError(request, said);
}

/** @returns `plan` with what the workflow's author can change. */
export function wordsToError({ argv, cwd, user }: ExecRequest, said: string): BackendError {
  const [program] = argv;
  const fail = (text: string, hint: string, resource: string = program): BackendError => {
    const cause = new Error(said.trim().slice(0, 1000));
    return new BackendError('plan', text, { resource, hint, cause });
  };
  if (/chdir to cwd|Cwd must be|no such directory.*cwd|working director/i.test(said)) {
    const found = /not a directory/.test(said)
      ? 'something else'
      : /permission denied/.test(said)
        ? 'one that its user may not enter'
        : 'nothing';
    return fail(
      `expected a folder to run in, found ${found} at "${cwd}"`,
      'make it in an earlier step, or correct working-directory',
      cwd,
    );
  }
  if (/unable to find (?:user|group)|no matching entries in (?:passwd|group)/.test(said)) {
    return fail(
      `expected a user that the container knows, found "${user ?? ''}"`,
      'use a number, or make the user in the image',
      user ?? '',
    );
  }
  if (/executable file not found|no such file or directory/.test(said)) {
    return fail(
      `expected a program in the container, found no "${program}"`,
      'install it in the image, or correct the name',
    );
  }
  if (/permission denied/.test(said)) {
    return fail(
      `expected a program in the container, found "${program}", which is not executable`,
      'set its mode with chmod +x',
    );
  }
  if (/exec format error/.test(said)) {
    return fail(
      `cannot start "${program}": it is made for another kind of machine, or has no first line that names its interpreter`,
      'choose an image for the platform of the engine',
    );
  }
  return fail(
    `cannot start "${program}" in the container: ${said.trim().slice(0, 500)}`,
    'try it by hand in the same image',
  );
}
