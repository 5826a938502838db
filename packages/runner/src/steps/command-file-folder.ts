import { joinInside, stepFolder } from '../environment/job-paths.ts';
import { readFiles, type SmallFile, writeFiles } from '../environment/target-files.ts';
import { stepSummary } from '../report/step-summaries.ts';
import { UserError } from '../user-error.ts';
import { parseEnvFile, parseOutputFile, parsePathFile, parseStateFile, whyProtected } from './command-files.ts';
import { commandFileKeys } from './command-file-paths.ts';
import { outcomeOfError, type StepOutcome } from './step-result.ts';
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
 * Reads the command files of a step that ended, and carries out what they say. A malformed one fails the step with file
 * and line and counts for nothing itself; the others do.
 */
export async function takeCommandFiles(run: StepRun, ended: StepOutcome): Promise<StepOutcome> {
  const { job } = run;
  // What a step wrote counts, also when it was cancelled in the middle of the step: read with the grace time.
  using ctx = job.place.call(job.signals.grace, 60_000);
  const { info, target } = job.place;
  const found = await readFiles(target, joinInside(info, stepFolder(info, run.key), 'commands'), maxBytes, ctx);
  const content = (key: string): Uint8Array => found.get(key) ?? new Uint8Array();
  const summary = stepSummary(content('step_summary'), job.masker);
  if (summary !== undefined) job.report.summary(run.frame.top ?? run.step.index, summary);
  const wrong = new Set<string>();
  for (const [name, value] of readOr(wrong, () => parseOutputFile(content('output')))) run.outputs.set(name, value);
  for (const [name, value] of readOr(wrong, () => parseStateFile(content('state')))) run.state.set(name, value);
  for (const folder of readOr(wrong, () => parsePathFile(content('path')))) job.state.prependPath(folder);
  for (const [name, value] of readOr(wrong, () => parseEnvFile(content('env')))) {
    const refusal = whyProtected(name);
    if (refusal === undefined) job.state.env.set(name, value);
    else await run.log.line(`##[warning]GITHUB_ENV: ${name} is not set: ${refusal}`);
  }
  if (wrong.size === 0) return ended;
  const outcome = ended.outcome === 'success' ? 'failure' : ended.outcome;
  return { outcome, because: [...ended.because, ...wrong] };
}

/** What a file says, or nothing and the reason among those. */
function readOr<T>(wrong: Set<string>, read: () => Iterable<T>): Iterable<T> {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    for (const reason of outcomeOfError(error).because) wrong.add(reason);
    return [];
  }
}
