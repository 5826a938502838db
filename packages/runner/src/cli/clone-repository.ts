import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Io } from '../io.ts';
import { quoted, UserError } from '../user-error.ts';

/**
 * Clones the newest commit of a repository with the system's git. Nothing in the repository runs, and nobody is asked
 * for a password.
 *
 * @throws {UserError} `FRR104` with git's own words. The reason of `io.signal` when that aborts.
 */
export async function cloneRepository(
  url: string,
  folder: string,
  io: Pick<Io, 'env' | 'signal' | 'cwd'>,
): Promise<void> {
  io.signal.throwIfAborted();
  // After `--` a URL that looks like an option is one no more.
  const git = spawn('git', ['clone', '--quiet', '--depth=1', '--no-tags', '--', url, folder], {
    cwd: io.cwd,
    env: { ...io.env, GIT_TERMINAL_PROMPT: '0', GIT_LFS_SKIP_SMUDGE: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
    signal: io.signal,
    windowsHide: true,
  });
  const said: string[] = [];
  git.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < 100) said.push(text);
  });
  try {
    const [code] = (await once(git, 'close')) as [number | null];
    if (code === 0) return;
    throw cannotClone(url, said.join('').trim().split('\n').at(-1) ?? '');
  } catch (error) {
    // It still writes to the folder until it is gone.
    if (git.pid !== undefined && git.exitCode === null && git.signalCode === null) await once(git, 'close');
    io.signal.throwIfAborted();
    if (error instanceof UserError) throw error;
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw cannotClone(url, isMissing ? 'git was not found' : String(error));
  }
}

function cannotClone(url: string, why: string): UserError {
  return new UserError('FRR104', {
    problems: [{ message: `expected to clone ${quoted(withoutCredentials(url))}, found: ${withoutCredentials(why)}` }],
    next: 'clone it yourself and use --directory',
  });
}

function withoutCredentials(text: string): string {
  return text.replaceAll(/:\/\/[^/@\s]+@/g, '://');
}
