import type { Git } from './git.ts';
import { type GitCommands, gitCommands } from './git-command.ts';
import { GitError } from './git-error.ts';
import { libraryGit } from './library-git.ts';
import { systemGit } from './system-git.ts';

/** Git by the commands of the system where it has them, by a library where not. */
export function anyGit(env: Readonly<Record<string, string | undefined>>): Git {
  const commands = gitCommands(env);
  let chosen: Git | undefined;
  const choose = async (signal: AbortSignal): Promise<Git> =>
    (chosen ??= (await hasGit(commands, signal)) ? systemGit(env, commands) : libraryGit(env));
  return {
    findRef: async (names, remote, signal) => (await choose(signal)).findRef(names, remote, signal),
    findCommits: async (start, into, signal) => (await choose(signal)).findCommits(start, into, signal),
    fetch: async (what, into, signal) => (await choose(signal)).fetch(what, into, signal),
    findDamage: async (commit, signal) => (await choose(signal)).findDamage(commit, signal),
    readFile: async (path, commit, signal) => (await choose(signal)).readFile(path, commit, signal),
    archive: async function* archive(folder, commit, signal) {
      yield* (await choose(signal)).archive(folder, commit, signal);
    },
  };
}

async function hasGit(commands: GitCommands, signal: AbortSignal): Promise<boolean> {
  try {
    await commands.run(['--version'], { timeoutMs: 30_000 }, signal);
    return true;
  } catch (error) {
    if (error instanceof GitError && error.failure === 'no-git') return false;
    throw error;
  }
}
