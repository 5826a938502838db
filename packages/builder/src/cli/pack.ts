import path from 'node:path';
import { inWords } from '../gate/how-to-execute.ts';
import { parseTargets } from '../package/target.ts';
import { packRelease } from '../release/pack-release.ts';
import type { PackFlags } from './define-pack.ts';
import { exitCodes } from './exit-codes.ts';
import { cacheOption, openCommandProject } from './open-command-project.ts';
import { openProgress } from './print-progress.ts';

/** The command `pack`. Resolves to its exit code. */
export async function packCommand(flags: PackFlags, signal: AbortSignal): Promise<number> {
  const cwd = process.cwd();
  const isJson = flags.logFormat === 'json';
  const project = await openCommandProject(flags, cwd);
  const targets = flags.target === undefined ? project.output.targets : parseTargets(flags.target);
  // Lines also on a terminal: there are several builds, and a living list knows one.
  await using progress = await openProgress(flags.logFormat === 'auto' ? 'plain' : flags.logFormat, []);
  const report = await packRelease({
    ...project.lock,
    ...cacheOption(flags, cwd),
    manifest: project.manifest,
    distribution: project.distribution,
    ...(flags.release === undefined ? {} : { version: flags.release }),
    output: path.resolve(cwd, flags.output),
    ...(targets === undefined ? {} : { targets }),
    cwd,
    signal,
    isSmokeRun: project.output.isSmokeRun ?? true,
    onEvent: progress.onEvent,
  });
  const { output, title, files, executables } = report;
  if (isJson) process.stdout.write(`${JSON.stringify({ event: 'packed', output, title, files, executables })}\n`);
  else {
    process.stdout.write(`packed ${title} into ${output}\n`);
    for (const { name, sizeBytes } of files) {
      const execution = executables.find((one) => one.name === name)?.execution;
      const word = execution === undefined ? '' : `, ${inWords(execution)}`;
      process.stdout.write(`  ${name} (${(sizeBytes / 1e6).toFixed(1)} MB${word})\n`);
    }
  }
  return exitCodes.done;
}
