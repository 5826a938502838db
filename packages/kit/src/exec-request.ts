import { BackendError, type ExecRequest } from '@forgejo-runner/core';

/** What a process is started with. */
type Start = Pick<ExecRequest, 'argv' | 'env' | 'cwd'>;

/**
 * Checks what no system can give to a process.
 *
 * @throws BackendError `plan` for a NUL, an empty program, and the name of a variable that is empty or has a `=`.
 */
export function checkExecRequest({ argv, env, cwd }: Start): void {
  for (const [index, argument] of argv.entries()) {
    if (argument.includes('\0')) throw nulIn(`argument ${index}`);
  }
  if (argv[0] === '') throw new BackendError('plan', 'expected the name of a program, found an empty one');
  if (cwd.includes('\0')) throw nulIn('the folder to run in');
  for (const [name, value] of Object.entries(env)) {
    if (value.includes('\0') || name.includes('\0')) throw nulIn(`variable "${name.slice(0, 200)}"`);
    if (name === '' || name.includes('=')) {
      throw new BackendError('plan', `expected the name of a variable, found ${JSON.stringify(name.slice(0, 200))}`);
    }
  }
}

function nulIn(what: string): BackendError {
  return new BackendError('plan', `expected no NUL in ${what}, found one; no process can be given it`);
}

/** The arguments and variables of a process by their sizes, in bytes as the system counts them. */
export function sizeOfRequest({ argv, env }: Pick<Start, 'argv' | 'env'>): {
  readonly total: number;
  readonly largest: { readonly what: string; readonly bytes: number };
} {
  let total = 0;
  let largest = { what: 'nothing', bytes: 0 };
  const count = (what: () => string, bytes: number): void => {
    total += bytes;
    if (bytes > largest.bytes) largest = { what: what(), bytes };
  };
  for (const [index, argument] of argv.entries()) count(() => `argument ${index}`, Buffer.byteLength(argument) + 1);
  for (const [name, value] of Object.entries(env)) {
    count(() => `variable "${name.slice(0, 100)}"`, Buffer.byteLength(name) + Buffer.byteLength(value) + 2);
  }
  return { total, largest };
}

/** Says that the system takes fewer arguments and variables than a process was to be given. */
export function requestTooBig(request: Start, cause?: unknown): BackendError {
  const { total, largest } = sizeOfRequest(request);
  const found = `${total} bytes, of which ${largest.bytes} in ${largest.what}`;
  return new BackendError('plan', `expected arguments and environment that the system takes, found ${found}`, {
    resource: request.argv[0],
    ...(cause === undefined ? {} : { cause }),
    hint: 'hand large values over in a file',
  });
}
