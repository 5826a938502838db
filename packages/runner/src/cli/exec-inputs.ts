import { resolve } from 'node:path';
import { readEnvFile } from '../config/env-file.ts';
import { loadConfig } from '../config/load.ts';
import type { RunnerConfig } from '../config/runner-config.ts';
import { backendProblems } from '../daemon/backend-problems.ts';
import { askSecrets } from '../local/ask-secret.ts';
import { type JsonObject, makeEventPayload, readEventPayload } from '../local/event-payload.ts';
import { type ExecLabels, execLabels } from '../local/exec-labels.ts';
import { readNameValues } from '../local/name-values.ts';
import { readRepositoryContext, type RepositoryContext } from '../local/repository-context.ts';
import { type Problem, UserError } from '../user-error.ts';
import type { CommandContext } from './command-context.ts';
import { withDockerFlags } from './docker-flags.ts';
import type { ExecOptions } from './exec-options.ts';

/** Everything that the command line brings to the jobs. */
export interface ExecInputs {
  readonly directory: string;
  readonly event: string;
  readonly config: RunnerConfig;
  readonly repository: RepositoryContext;
  readonly payload: JsonObject;
  readonly secrets: ReadonlyMap<string, string>;
  readonly vars: ReadonlyMap<string, string>;
  readonly envs: ReadonlyMap<string, string>;
}

/**
 * Reads the files, flags and variables that a local run is made of.
 *
 * @throws UserError with all that is wrong in the configuration; else with what is wrong first.
 */
export async function readExecInputs(
  options: ExecOptions,
  context: CommandContext,
  { directory, event }: Pick<ExecInputs, 'directory' | 'event'>,
): Promise<ExecInputs> {
  const { io } = context;
  const { cwd } = io;
  const path = options.config === undefined ? undefined : resolve(cwd, options.config);
  const lookFurther = (config: RunnerConfig): Promise<readonly Problem[]> => furtherProblems(config, options, context);
  const written = await loadConfig(path, { cwd, lookFurther });
  const config = withDockerFlags(written, options);
  const repository = await readRepositoryContext(directory, options.forgejoInstance, io.signal);
  const payload =
    options.eventPath === undefined
      ? makeEventPayload(event, repository)
      : await readEventPayload(resolve(cwd, options.eventPath), cwd);
  const secrets = await askSecrets(options.secrets, io);
  const vars = readNameValues('--var', options.vars, io.env);
  const mayBeMissing = !options.envFileIsGiven;
  const fromFile = await readEnvFile(resolve(directory, options.envFile), { mayBeMissing, cwd });
  const envs = new Map([...config.runner.envs, ...fromFile, ...readNameValues('--env', options.env, io.env)]);
  return { directory, event, config, repository, payload, secrets, vars, envs };
}

/** What is wrong with labels and backends, also with those that the command line asks for. */
async function furtherProblems(
  config: RunnerConfig,
  options: ExecOptions,
  context: CommandContext,
): Promise<readonly Problem[]> {
  try {
    const { labels } = labelsOf(config, options, context);
    return await backendProblems({ config, factories: context.factories, labels });
  } catch (error) {
    if (error instanceof UserError) return error.problems;
    throw error;
  }
}

/** The labels of a run: those of the configuration, and those of the command line before them. */
export function labelsOf(config: RunnerConfig, options: ExecOptions, context: CommandContext): ExecLabels {
  return execLabels({ platforms: options.platforms, configured: config.labels, ...imageLabel(options, context) });
}

/** `--image` counts where it was given; its default only where there is a backend for it. */
function imageLabel(options: ExecOptions, context: CommandContext): { readonly image?: string } {
  const isUseful = options.imageIsGiven || context.factories.get('docker') !== undefined;
  return isUseful ? { image: options.image } : {};
}
