import { type ExecResult, isBackendError } from '@forgejo-runner/core';
import { joinInside, resolveInside, stepFolder } from '../environment/job-paths.ts';
import { interpolate } from '../expressions/interpolate.ts';
import type { Scope } from '../expressions/scope.ts';
import { quoted, UserError } from '../user-error.ts';
import type { RunDefaults, RunScript } from '../workflow/model.ts';
import type { YamlScalar } from '../workflow/yaml-node.ts';
import { makeStepFolder, takeCommandFiles } from './command-file-folder.ts';
import { probe, runProcess } from './run-process.ts';
import { implicitShells, readShell, type Shell, shellArgv } from './shells.ts';
import { outcomeOfProcess, type StepOutcome } from './step-result.ts';
import type { StepRun } from './step-run.ts';

/**
 * Runs a `run:` step: its script becomes a file in the environment that its shell runs.
 *
 * @throws UserError `FRR601` where shell or folder are missing.
 */
export async function runScript(run: StepRun, does: RunScript, scope: Scope): Promise<StepOutcome> {
  const { info } = run.job.place;
  const shell = await chooseShell(run, does, scope);
  const cwd = await workingDirectory(run, does, scope);
  const script = `script${shell.extension}`;
  const text = await interpolate(does.script, scope);
  await makeStepFolder(run, [{ path: script, content: shell.wrap(text), mode: 0o755 }]);
  const argv = shellArgv(shell, joinInside(info, stepFolder(info, run.key), script));
  const result = await startScript(run, argv, cwd, does);
  return takeCommandFiles(run, outcomeOfProcess(result));
}

async function startScript(
  run: StepRun,
  argv: readonly [string, ...string[]],
  cwd: string,
  does: RunScript,
): Promise<ExecResult> {
  try {
    return await runProcess(run, { argv, cwd });
  } catch (error) {
    throw explainMissing(error, { program: argv[0], cwd, does, mask: (text) => run.job.masker.mask(text) });
  }
}

async function chooseShell(run: StepRun, does: RunScript, scope: Scope): Promise<Shell> {
  const named = does.shell ?? defaultOf(run, 'shell');
  const text = named === undefined ? '' : await interpolate(named, scope);
  if (named !== undefined && text !== '') return readShell(text, named.at);
  return run.job.shells.find(implicitShells(run.job.place.info), run.step.at, probe(run));
}

async function workingDirectory(run: StepRun, does: RunScript, scope: Scope): Promise<string> {
  const { info } = run.job.place;
  const named = does.workingDirectory ?? defaultOf(run, 'workingDirectory');
  return named === undefined ? info.paths.workspace : resolveInside(info, await interpolate(named, scope));
}

/** `defaults.run` of the job, then of the workflow. They do not reach into actions. */
function defaultOf(run: StepRun, key: keyof RunDefaults): YamlScalar | undefined {
  if (run.frame.action !== undefined) return undefined;
  const { job, workflow } = run.job.planned.task;
  return job.defaults[key] ?? workflow.defaults[key];
}

/** Says in the words of the workflow what the platform could not find. */
function explainMissing(
  error: unknown,
  {
    program,
    cwd,
    does,
    mask,
  }: {
    readonly program: string;
    readonly cwd: string;
    readonly does: RunScript;
    /** Before a text is cut: half a secret would be shown. */
    readonly mask: (text: string) => string;
  },
): unknown {
  if (!isBackendError(error) || error.code !== 'plan') return error;
  if (error.details.resource === program) {
    return new UserError('FRR601', {
      problems: [
        {
          at: (does.shell ?? does.script).at,
          message: `expected the shell ${quoted(mask(program))} in the environment, found no such program on its PATH`,
        },
      ],
      next: 'install it in the environment, or choose another shell',
      cause: error,
    });
  }
  if (error.details.resource === cwd) {
    return new UserError('FRR601', {
      problems: [
        {
          at: (does.workingDirectory ?? does.script).at,
          message: `expected the working directory ${quoted(mask(cwd))} to exist, found no such folder`,
        },
      ],
      next: 'make the folder in an earlier step, or check out the repository first',
      cause: error,
    });
  }
  return error;
}
