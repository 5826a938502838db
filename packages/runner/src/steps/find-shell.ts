import { isBackendError } from '@forgejo-runner/core';
import { UserError } from '../user-error.ts';
import type { Place } from '../workflow/yaml-node.ts';
import { readShell, type Shell } from './shells.ts';
import type { RunProcess } from './run-process.ts';

/** Finds out, once for each job, which shell the environment has for steps that name none. */
export class ShellProbe {
  #found: Shell | undefined;

  /** @throws UserError `FRR601` where the environment has none of the usual shells. */
  async find(shells: readonly string[], at: Place, run: RunProcess): Promise<Shell> {
    for (const name of this.#found === undefined ? shells : []) {
      if (!(await answers(name, run))) continue;
      this.#found = readShell(name, at);
      break;
    }
    if (this.#found !== undefined) return this.#found;
    throw new UserError('FRR601', {
      problems: [{ at, message: `expected one of the shells ${shells.join(', ')} in the environment, found none` }],
      next: 'name a shell that the environment has, such as shell: python',
    });
  }
}

/** Can the shell run the empty script? Asking the shell itself needs no other program in the environment. */
async function answers(shell: string, run: RunProcess): Promise<boolean> {
  try {
    const result = await run([shell, '-c', 'exit 0']);
    return result.kind === 'exited' && result.code === 0;
  } catch (error) {
    if (isBackendError(error) && error.code === 'plan') return false;
    throw error;
  }
}
