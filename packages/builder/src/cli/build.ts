import path from 'node:path';
import { build, type BuildOptions, type BuildReport } from '../build.ts';
import { builtDistribution } from '../manifest/distribution.ts';
import { stepTitles } from '../events.ts';
import { readGateConfigs } from '../gate/conformance-gate.ts';
import { inWords } from '../gate/how-to-execute.ts';
import { parseTargets, type Target } from '../package/target.ts';
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
  const targets = flags.target === undefined ? project.output.targets : parseTargets(flags.target);
  const isExecutable =
    flags.image !== undefined ||
    flags.target !== undefined ||
    (flags.sea ?? project.output.isExecutable ?? targets !== undefined);
  const output = path.resolve(cwd, flags.output ?? project.output.output ?? defaultOutput(isExecutable, targets));
  const steps = Object.keys(stepTitles).filter(
    (step) =>
      step !== 'vendor' &&
      (isExecutable || step !== 'package') &&
      (flags.image !== undefined || step !== 'image') &&
      (flags.conformance !== undefined || step !== 'conformance'),
  );
  const start = performance.now();
  let report: BuildReport;
  {
    await using progress = await openProgress(flags.logFormat, steps as (keyof typeof stepTitles)[]);
    report = await build({
      manifest,
      output,
      isExecutable,
      ...(targets === undefined ? {} : { targets }),
      ...(flags.image === undefined ? {} : { image: path.resolve(cwd, flags.image) }),
      ...(flags.evidence === undefined ? {} : { evidenceDir: path.resolve(cwd, flags.evidence) }),
      ...project.lock,
      cwd,
      signal,
      isForced: flags.force ?? false,
      ...gateOf(flags, cwd),
      isSmokeRun: flags.smokeRun !== false && (project.output.isSmokeRun ?? true),
      onEvent: progress.onEvent,
      ...(distribution === undefined ? {} : { distribution }),
      ...cacheOption(flags, cwd),
    });
  }
  printReport(report, flags, Math.round(performance.now() - start));
  return exitCodes.done;
}

function gateOf(flags: BuildFlags, cwd: string): Pick<BuildOptions, 'conformance'> {
  if (flags.conformance === undefined) return {};
  const lane = flags.conformance === true ? 'quick' : flags.conformance;
  return { conformance: { lane, configs: readGateConfigs(flags.conformanceConfig ?? [], cwd) } };
}

function defaultOutput(isExecutable: boolean, targets: readonly Target[] | undefined): string {
  if (!isExecutable) return 'forgejo-runner.mjs';
  return targets === undefined && process.platform === 'win32' ? 'forgejo-runner.exe' : 'forgejo-runner';
}

function printReport(report: BuildReport, flags: BuildFlags, ms: number): void {
  const { output, sizeBytes, artefacts, buildInfo } = report;
  if (flags.logFormat === 'json') {
    const startMs = report.smoke?.startMs;
    process.stdout.write(
      `${JSON.stringify({ event: 'built', output, sizeBytes, ms, startMs, isUnchanged: report.isUnchanged, artefacts, buildInfo })}\n`,
    );
    return;
  }
  const what = report.isUnchanged ? 'unchanged' : 'built';
  for (const one of artefacts) {
    const size =
      one.sizeBytes < 1e7 ? `${Math.round(one.sizeBytes / 1024)} KiB` : `${(one.sizeBytes / 1e6).toFixed(1)} MB`;
    const time = one === artefacts[0] ? ` in ${(ms / 1000).toFixed(2)} s` : '';
    process.stdout.write(`${what} ${one.file} (${size})${time}, ${inWords(one.execution)}\n`);
  }
  for (const one of buildInfo.packages.filter((entry) => entry.source === 'path')) {
    process.stdout.write(`  ${one.name} ${one.version} is a local folder: others cannot reproduce this build\n`);
  }
}
