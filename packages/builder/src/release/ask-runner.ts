import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { runChild } from '../run-child.ts';
import { shown, UserError } from '../user-error.ts';

const limitMs = 30_000;

/** What a built runner prints of itself, in an empty folder and an empty environment. */
export interface AskedRunner {
  /** @throws UserError `FRB506` */
  readonly ask: (...args: readonly string[]) => Promise<string>;
}

/** Gets ready to ask a runner that is one JavaScript file. `workDir` is a folder to run it in. */
export function askedRunner(script: string, workDir: string, signal: AbortSignal): AskedRunner {
  return {
    ask: async (...args) => {
      const cwd = path.join(workDir, 'asked');
      await mkdir(cwd, { recursive: true });
      const limited = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
      const command = args.join(' ');
      try {
        const result = await runChild(process.execPath, [script, ...args], { cwd, env: {} }, limited);
        if (result.code === 0) return result.stdout;
        const said = shown(result.stderr || result.stdout, 300);
        throw new UserError(
          'FRB506',
          `${command} of the result ended with ${result.code ?? result.killedBy}; it printed: ${said}`,
        );
      } catch (error) {
        signal.throwIfAborted();
        if (!limited.aborted) throw error;
        throw new UserError('FRB506', `${command} of the result did not end within ${limitMs / 1000} s`);
      }
    },
  };
}
