import { resolveInside } from '../environment/job-paths.ts';
import { readFile } from '../environment/target-files.ts';
import { openStepLog, type StepLog } from '../log/log-pipeline.ts';
import { whyProtected } from './command-files.ts';
import { stepCommands } from './step-commands.ts';
import type { StepRun } from './step-run.ts';

const unsecureCommands = 'ACTIONS_ALLOW_UNSECURE_COMMANDS';
const maxMatcherBytes = 1024 * 1024;
const matcherReadMs = 60_000;

/** Opens the log of a step; the workflow commands in it change the step and its job. */
export function openLogOfStep(run: Omit<StepRun, 'key' | 'log'>): StepLog {
  const { step, frame, job, stage, env, outputs, state } = run;
  const allowed =
    env.get(unsecureCommands) ?? frame.action?.env.get(unsecureCommands) ?? job.state.env.get(unsecureCommands);
  return openStepLog({
    section: { kind: 'step', index: frame.top ?? step.index, stage },
    masker: job.masker,
    report: job.report,
    commands: stepCommands({
      outputs,
      state,
      // Where a file would be refused, a command is.
      setEnv: (name, value) => void (whyProtected(name) === undefined && job.state.env.set(name, value)),
      addPath: (folder) => job.state.prependPath(folder),
      readFile: (path) => readMatchers(run, path),
    }),
    matchers: job.matchers,
    isDebug: job.runner.debug,
    allowUnsecureCommands: allowed === 'true',
  });
}

async function readMatchers(run: Pick<StepRun, 'job' | 'signal'>, path: string): Promise<string> {
  const { target, info, call } = run.job.place;
  using ctx = call(run.signal, matcherReadMs);
  const bytes = await readFile(target, resolveInside(info, path), maxMatcherBytes, ctx);
  if (bytes === undefined) throw new Error('there is no such file');
  return Buffer.from(bytes).toString();
}
