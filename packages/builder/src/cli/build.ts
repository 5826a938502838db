import path from 'node:path';
import { build, type BuildReport } from '../build.ts';
import { builtDistribution } from '../manifest/distribution.ts';
import { stepTitles } from '../events.ts';
import { exitCodes } from './exit-codes.ts';
import { cacheOption, openCommandProject } from './open-command-project.ts';
import { openProgress } from './print-progress.ts';
import type { BuildFlags } from './flags.ts';

/** The command `build`. Resolves to its exit code. */
export async function buildCommand(flags: BuildFlags, signal: AbortSignal): Promise<number> {
  const cwd = process.cwd();
  const project = await openCommandProject(flags, cwd);
  const { manifest } = project;
  const distribution = builtDistribution(project.distribution);
  const isExecutable = flags.sea ?? project.output.isExecutable ?? false;
  const output = path.resolve(cwd, flags.output ?? project.output.output ?? defaultOutput(isExecutable));
  const steps = Object.keys(stepTitles).filter((step) => step !== 'vendor' && (isExecutable || step !== 'package'));
  const start = performance.now();
  let report: BuildReport;
  {
    await using progress = await openProgress(flags.logFormat, steps as (keyof typeof stepTitles)[]);
    report = await build({
      manifest,
      output,
      isExecutable,
      ...project.lock,
      cwd,
      signal,
      isForced: flags.force ?? false,
      isSmokeRun: flags.smokeRun !== false && (project.output.isSmokeRun ?? true),
      onEvent: progress.onEvent,
      ...(distribution === undefined ? {} : { distribution }),
      ...cacheOption(flags, cwd),
    });
  }
  printReport(report, flags, Math.round(performance.now() - start));
  return exitCodes.done;
}

function defaultOutput(isExecutable: boolean): string {
  if (!isExecutable) return 'forgejo-runner.mjs';
  return process.platform === 'win32' ? 'forgejo-runner.exe' : 'forgejo-runner';
}

function printReport(report: BuildReport, flags: BuildFlags, ms: number): void {
  const { output, sizeBytes, buildInfo } = report;
  if (flags.logFormat === 'json') {
    process.stdout.write(
      `${JSON.stringify({ event: 'built', output, sizeBytes, ms, startMs: report.smoke?.startMs, isUnchanged: report.isUnchanged, buildInfo })}\n`,
    );
    return;
  }
  const size = sizeBytes < 1e7 ? `${Math.round(sizeBytes / 1024)} KiB` : `${(sizeBytes / 1e6).toFixed(1)} MB`;
  const what = report.isUnchanged ? 'unchanged' : 'built';
  process.stdout.write(`${what} ${output} (${size}) in ${(ms / 1000).toFixed(2)} s\n`);
  for (const one of buildInfo.packages.filter((entry) => entry.source === 'path')) {
    process.stdout.write(`  ${one.name} ${one.version} is a local folder: others cannot reproduce this build\n`);
  }
}
