import { constants } from 'node:fs';
import { access, open, stat } from 'node:fs/promises';
import path from 'node:path';
import { BackendError, type ExecRequest, isBackendError } from '@forgejo-runner/core';
import { requestTooBig } from './exec-request.ts';
import { errnoOf, fileError } from './file-errors.ts';

/**
 * Says why a process could not be started. Node answers `ENOENT` alike for a missing program, a missing folder and a
 * script whose interpreter is missing, so the three are looked for here.
 */
export async function startError(error: unknown, request: ExecRequest): Promise<BackendError> {
  if (isBackendError(error)) return error;
  const code = errnoOf(error);
  const [program] = request.argv;
  if (code === 'E2BIG') return requestTooBig(request, error);
  if (code === 'EAGAIN' || code === 'ENOMEM' || code === 'EMFILE' || code === 'ENFILE') {
    return new BackendError(
      'unavailable',
      `cannot start "${program}": the machine has no process or memory left (${code})`,
      {
        resource: program,
        cause: error,
        hint: 'raise the limit of processes, or run fewer jobs at once',
      },
    );
  }
  return (await folderError(request.cwd)) ?? (await programError(error, request));
}

async function folderError(cwd: string): Promise<BackendError | undefined> {
  const hint = 'make it in an earlier step, or correct working-directory';
  try {
    if (!(await stat(cwd)).isDirectory()) {
      return new BackendError('plan', `expected a folder to run in, found something else at "${cwd}"`, {
        resource: cwd,
        hint,
      });
    }
    await access(cwd, constants.X_OK);
    return undefined;
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') return fileError(cause, 'run in', cwd);
    return new BackendError('plan', `expected a folder to run in, found nothing at "${cwd}"`, {
      resource: cwd,
      hint,
      cause,
    });
  }
}

async function programError(error: unknown, request: ExecRequest): Promise<BackendError> {
  const [program] = request.argv;
  const found = await findProgram(request);
  const fail = (text: string, hint = 'try it by hand'): BackendError =>
    new BackendError('plan', text, { resource: program, cause: error, hint });
  if (found === undefined) {
    const isPath = program.includes('/');
    const where = isPath ? '' : ` on PATH (${request.env['PATH'] ?? 'not set'})`.slice(0, 200);
    return fail(`expected a program, found no "${program}"${where}`, 'install it, or correct the name');
  }
  if ((await stat(found)).isDirectory()) return fail(`expected a program, found a folder at "${found}"`);
  const isExecutable = await canRun(found);
  if (!isExecutable)
    return fail(`expected a program, found "${found}", which is not executable`, 'set its mode with chmod +x');
  const interpreter = await interpreterOf(found);
  if (interpreter === undefined)
    return fail(`cannot start "${found}": ${error instanceof Error ? error.message : String(error)}`);
  return fail(
    `cannot start "${found}": its interpreter "${interpreter}" does not exist or cannot be run`,
    'correct its first line',
  );
}

async function canRun(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch {
    return false;
  }
}

/** Where the system would have looked, also for files that it would not run. */
async function findProgram(request: ExecRequest): Promise<string | undefined> {
  const [program] = request.argv;
  const folders = program.includes('/') ? [''] : (request.env['PATH'] ?? '/bin:/usr/bin').split(path.delimiter);
  for (const folder of folders) {
    const file = path.resolve(request.cwd, folder, program);
    const isThere = await exists(file);
    if (isThere) return file;
  }
  return undefined;
}

async function interpreterOf(file: string): Promise<string | undefined> {
  try {
    await using handle = await open(file, 'r');
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(256), 0, 256, 0);
    return /^#![ \t]*([^\s]+)/.exec(buffer.toString('latin1', 0, bytesRead))?.[1];
  } catch {
    return undefined; // executable and not readable
  }
}
