import type { ExecResult, OutputSink } from '@forgejo-runner/core';
import { baseVariables, replaceableVariables } from '../environment/base-variables.ts';
import { traced } from '../trace.ts';
import { openStepCall, type StepRun } from './step-run.ts';
import { githubContext, stepScope } from './step-scope.ts';
import { stepVariables, type VariableSources } from './step-variables.ts';

/** Runs a process with the environment of a step, without output. */
export type RunProcess = (argv: readonly [string, ...string[]]) => Promise<ExecResult>;

/** A process of a step. */
export interface StepProcess {
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  /** Variables of an action beside the step's own: inputs, saved state. */
  readonly actionVariables?: ReadonlyMap<string, string>;
}

/** Runs a process of a step to its end; its output goes to the log of the step. */
export async function runProcess(run: StepRun, process: StepProcess): Promise<ExecResult> {
  return traced('exec', { program: run.job.masker.mask(process.argv[0]) }, () => runToEnd(run, process));
}

async function runToEnd(run: StepRun, process: StepProcess): Promise<ExecResult> {
  using ctx = openStepCall(run);
  const handle = run.job.place.target.exec(
    {
      argv: process.argv,
      env: processVariables(run, process.actionVariables ?? new Map()),
      cwd: process.cwd,
      stdout: run.log.stdout,
      stderr: run.log.stderr,
    },
    ctx,
  );
  return await handle.result;
}

/** Runs a process whose output is not for the log, to find something out about the environment. */
export function probe(run: StepRun, stdout: OutputSink = ignore): RunProcess {
  return async (argv) => {
    using ctx = openStepCall(run);
    const { target, info } = run.job.place;
    const env = processVariables(run, new Map());
    return target.exec({ argv, env, cwd: info.paths.workspace, stdout, stderr: ignore }, ctx).result;
  };
}

function processVariables(run: StepRun, action: ReadonlyMap<string, string>): Record<string, string> {
  return stepVariables(variableSources(run, action), run.job.place.info);
}

/** Where the variables of a process of a step come from. */
export function variableSources(run: StepRun, action: ReadonlyMap<string, string>): VariableSources {
  const { job, frame } = run;
  const github = githubContext(stepScope(run.step, frame, job, run.env, run.signal));
  return {
    machine: job.place.target.baseEnv,
    replaceable: replaceableVariables(github),
    administrator: job.runner.envs,
    job: job.state.env,
    base: baseVariables(github, job.place.info, job.runner),
    step: new Map([...(frame.action?.env ?? []), ...run.env]),
    action,
    path: job.state.path,
  };
}

function ignore(): void {}
