import { runRunner } from '../run/run-runner.ts';
import { findOwnPackage } from '../resolve/own-package.ts';
import type { RunFlags } from './flags.ts';
import type { Interrupts } from './interrupts.ts';
import { cacheOption, openCommandProject } from './open-command-project.ts';
import { printError } from './print-error.ts';
import { openProgress } from './print-progress.ts';

/** The command `run`: the dev loop of a backend. Resolves to the exit code of the runner. */
export async function runCommand(flags: RunFlags, args: readonly string[], interrupts: Interrupts): Promise<number> {
  const cwd = process.cwd();
  const own = await findOwnPackage(cwd, flags.with ?? []);
  const asked = own === undefined ? flags : { ...flags, with: [...(flags.with ?? []), own] };
  const { manifest, lock } = await openCommandProject(asked, cwd);
  // Only what is wrong is worth a line here: stdout and stderr belong to the runner.
  await using progress = await openProgress(flags.logFormat === 'auto' ? 'plain' : flags.logFormat, []);
  return runRunner({
    ...lock,
    isWatched: flags.watch ?? false,
    isBundled: flags.bundle ?? false,
    manifest,
    args,
    cwd,
    signal: interrupts.signal,
    onStarted: (send) =>
      interrupts.handOver((name) => {
        // Ctrl-C on a terminal reaches the runner as well: sent again, it would count as the second.
        if (name !== 'SIGINT' || !process.stdin.isTTY) send(name);
      }),
    onEvent: (event) => {
      if (event.event === 'warning' || event.event === 'note' || flags.logFormat === 'json') progress.onEvent(event);
    },
    onFinding: (error) =>
      printError(error, {
        isJson: flags.logFormat === 'json',
        isVerbose: flags.verbose ?? false,
        stream: process.stderr,
      }),
    ...cacheOption(flags, cwd),
  });
}
