import { joinInside, stepFolder } from '../environment/job-paths.ts';
import { readFiles, type SmallFile, writeFiles } from '../environment/target-files.ts';
import { stepSummary } from '../report/step-summaries.ts';
import { parseEnvFile, parseOutputFile, parsePathFile, parseStateFile, whyProtected } from './command-files.ts';
import { commandFileKeys } from './command-file-paths.ts';
import { openStepCall, type StepRun } from './step-run.ts';

/** What all command files of a step may hold together; more fails the step, as a symlink in place of one does. */
const maxBytes = 64 * 1024 * 1024;

/** Makes the folder of a step, with empty command files and what else the step needs there. */
export async function makeStepFolder(run: StepRun, others: readonly SmallFile[]): Promise<void> {
  using ctx = openStepCall(run);
  const { info, target } = run.job.place;
  const empty = commandFileKeys.map((key): SmallFile => ({ path: `commands/${key}`, content: '', mode: 0o666 }));
  await writeFiles(target, stepFolder(info, run.key), [...empty, ...others], ctx);
}

/**
 * Reads the command files of a step and carries out what they say.
 *
 * @throws UserError `FRR603` with file and line; what the files before it said holds.
 */
export async function takeCommandFiles(run: StepRun): Promise<void> {
  const { job } = run;
  // What a step wrote counts, also when it was cancelled in the middle of the step: read with the grace time.
  using ctx = job.place.call(job.signals.grace, 60_000);
  const { info, target } = job.place;
  const found = await readFiles(target, joinInside(info, stepFolder(info, run.key), 'commands'), maxBytes, ctx);
  const content = (key: string): Uint8Array => found.get(key) ?? new Uint8Array();
  const summary = stepSummary(content('step_summary'), job.masker);
  if (summary !== undefined) job.report.summary(run.frame.top ?? run.step.index, summary);
  for (const [name, value] of parseOutputFile(content('output'))) run.outputs.set(name, value);
  for (const [name, value] of parseStateFile(content('state'))) run.state.set(name, value);
  for (const folder of parsePathFile(content('path'))) job.state.prependPath(folder);
  for (const [name, value] of parseEnvFile(content('env'))) {
    const refusal = whyProtected(name);
    if (refusal === undefined) job.state.env.set(name, value);
    else await run.log.line(`##[warning]GITHUB_ENV: ${name} is not set: ${refusal}`);
  }
}
