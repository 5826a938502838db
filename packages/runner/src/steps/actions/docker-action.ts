import { type ContainerField, type ContainerSupport, type StepContainerSpec, usedFields } from '@forgejo-runner/core';
import { parse } from 'shell-quote';
import { evaluateStringMap, interpolate } from '../../expressions/interpolate.ts';
import type { Scope } from '../../expressions/scope.ts';
import { type ContainerPolicy, stepContainerOf } from '../../plan/admin-policy.ts';
import { UserError } from '../../user-error.ts';
import type { Action } from '../../workflow/model.ts';
import type { YamlScalar } from '../../workflow/yaml-node.ts';
import { makeStepFolder, takeCommandFiles } from '../command-file-folder.ts';
import { variableSources } from '../run-process.ts';
import { outcomeOfProcess, type StepOutcome } from '../step-result.ts';
import { openStepCall, type StepRun } from '../step-run.ts';
import { stepVariables } from '../step-variables.ts';
import type { ActionInputs } from './action-inputs.ts';
import { actionVariables } from './action-variables.ts';
import { actionImage } from './docker-image.ts';
import type { FoundAction } from './find-action.ts';

/** A found action that runs in a container. */
export type FoundDockerAction = FoundAction & {
  readonly action: Action & { readonly runs: { readonly kind: 'docker' } };
};

/** What a container is started with, beside what its image says. */
interface Command {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
}

/** Removing gets its own time, whatever became of the job. */
const removeMs = 60_000;

/**
 * Runs the container of an action for the stage of its step. It sees the folders of the environment at the same paths
 * as the other steps do.
 *
 * @throws UserError `FRR502` where the label cannot do that; nothing was started then.
 */
export async function runDockerAction(
  run: StepRun,
  found: FoundDockerAction,
  details: { readonly inputs: ActionInputs; readonly scope: Scope },
): Promise<StepOutcome> {
  const { runs } = found.action;
  const own = { pre: runs.preEntrypoint, main: runs.entrypoint, post: runs.postEntrypoint }[run.stage];
  if (run.stage !== 'main' && own === undefined) return { outcome: 'success', because: [] };
  const { inputs, scope } = details;
  const written = own === undefined ? '' : await interpolate(own, scope);
  const entrypoint = words((run.stage === 'main' ? inputs.container.entrypoint : undefined) ?? written);
  const given = inputs.container.args;
  const cmd = given === undefined ? await evaluated(runs.args, scope) : words(given);
  refuse(run, found, { entrypoint, cmd });
  const variables = new Map([
    ...actionVariables(run, found, inputs.values),
    ...(await evaluateStringMap(runs.env, scope)),
  ]);
  const { policy } = run.job.planned;
  const defaults = stepContainerOf(policy);
  const spec: StepContainerSpec = {
    kind: 'step',
    stepId: run.key,
    workdir: run.job.place.info.paths.workspace,
    image: await actionImage(run, found),
    pull: pullOf(runs, policy),
    ...defaults,
    env: { ...defaults.env, ...containerVariables(run, variables) },
    ports: [],
    ...(entrypoint.length === 0 ? {} : { entrypoint }),
    ...(cmd.length === 0 ? {} : { cmd }),
  };
  await makeStepFolder(run, []);
  return takeCommandFiles(run, await runContainer(run, spec));
}

/** What was built is here; what comes from a registry may be newer there. */
function pullOf({ image }: DockerRuns, { forcePull }: ContainerPolicy): StepContainerSpec['pull'] {
  if (!image.startsWith('docker://')) return 'never';
  return forcePull ? 'always' : 'missing';
}

async function runContainer(run: StepRun, spec: StepContainerSpec): Promise<StepOutcome> {
  const { place } = run.job;
  using ctx = openStepCall(run);
  // The capabilities, which were looked at, say that it is there; the environment was checked against them.
  const container = await place.containers.createStepContainer?.(spec, ctx);
  if (container === undefined) throw new Error('the environment lost its step containers');
  try {
    const { stdout, stderr } = run.log;
    return outcomeOfProcess(await container.run({ stdout, stderr }, ctx).result);
  } finally {
    using cleanUp = place.call(new AbortController().signal, removeMs);
    try {
      const { leaked } = await container.remove(cleanUp);
      for (const left of leaked) cleanUp.log.warn('could not be removed, goes with its environment', left);
    } catch (error) {
      const fields = { resource: container.id, error: String(error) };
      cleanUp.log.warn('could not be removed, goes with its environment', fields);
    }
  }
}

/** The search path is the image's own, unless somebody sets it: folders of the machine mean nothing in there. */
function containerVariables(run: StepRun, action: ReadonlyMap<string, string>): Record<string, string> {
  const sources = { ...variableSources(run, action), machine: {}, path: [] };
  const { pathName } = run.job.place.info.env;
  const variables = stepVariables(sources, run.job.place.info);
  const isSet = [sources.job, sources.step, sources.action].some((source) => source.has(pathName));
  if (!isSet) delete variables[pathName];
  return variables;
}

/**
 * A local action is only known after the checkout, so this refusal cannot come earlier.
 *
 * @throws UserError `FRR502` with what the label lacks.
 */
function refuse(run: StepRun, { action }: FoundDockerAction, command: Command): void {
  const { label, containerSupport, policy } = run.job.planned;
  const { configuration } = label;
  const spec = { image: '', pull: 'missing', ports: [], ...stepContainerOf(policy) } as const;
  const lacks = lacking(action.runs, [...usedFields(spec), ...fieldsOf(command)], containerSupport);
  if (lacks === undefined) return;
  throw new UserError('FRR502', {
    problems: [
      {
        at: run.step.at,
        message: `label "${configuration.name}" (backend ${configuration.backend}) cannot run this step: ${action.name ?? action.file} is a Docker action${lacks}. Nothing of the step was started`,
      },
    ],
    next: 'choose a label in runs-on whose backend has containers',
  });
}

type DockerRuns = FoundDockerAction['action']['runs'];

function fieldsOf({ entrypoint, cmd }: Command): readonly ContainerField[] {
  return ['env', ...(entrypoint.length === 0 ? [] : ['entrypoint']), ...(cmd.length === 0 ? [] : ['cmd'])];
}

function lacking(runs: DockerRuns, used: readonly ContainerField[], containers: ContainerSupport): string | undefined {
  if (containers.via === 'none') return '';
  if (containers.via === 'docker-endpoint') return ', which needs the package @forgejo-runner/backend-docker';
  if (!containers.steps) return ', and it has no containers for steps';
  if (!containers.build && !runs.image.startsWith('docker://')) return ', and it cannot build images';
  const missing = [...new Set(used)].filter((field) => !containers.fields.includes(field));
  return missing.length === 0 ? undefined : `, and its containers lack ${missing.join(', ')}`;
}

async function evaluated(args: readonly YamlScalar[], scope: Scope): Promise<string[]> {
  const texts: string[] = [];
  for (const arg of args) texts.push(await interpolate(arg, scope));
  return texts;
}

/** Words of a command line as a shell would split them, without anything that a shell would carry out. */
function words(text: string): string[] {
  return parse(text.replaceAll(/[\r\n]+/g, ' '), (name) => `$${name}`).flatMap((word) => {
    if (typeof word === 'string') return [word];
    if ('pattern' in word) return [word.pattern];
    return 'op' in word ? [word.op] : [];
  });
}
