import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { LabelConfiguration } from '@forgejo-runner/core';
import { shownPath } from '../shown-path.ts';
import { type Problem, quoted, UserError } from '../user-error.ts';
import type { YamlNode } from '../workflow/yaml-node.ts';
import { parseYaml } from '../workflow/yaml-source.ts';
import { type ConfigPath, nodeAt } from './config-place.ts';
import { configProblems } from './config-problems.ts';
import { readEnvFile } from './env-file.ts';
import { readLabels } from './labels.ts';
import { withOverrides } from './overrides.ts';
import { plainValue } from './plain-value.ts';
import type { RunnerConfig } from './runner-config.ts';
import { configSchema, readWritten } from './schema.ts';
import { usableConfig } from './usable-config.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** How a file is read. */
export interface LoadOptions {
  /** Messages name files as seen from here. Default: by the paths that were given. */
  readonly cwd?: string;
  /** Variables that win over the file; see `withOverrides`. Default: none. */
  readonly env?: Environment;
  /**
   * Finds what else is wrong when the file is: it gets what could be read, with the defaults for the rest, so that one
   * error has all. Not called for a file in which nothing is wrong.
   */
  readonly lookFurther?: (config: RunnerConfig) => Promise<readonly Problem[]>;
}

/**
 * Reads a configuration file, and what `runner.env_file` names into `runner.envs`; without a file it is all defaults.
 *
 * @throws {UserError} `FRR201` with the place of everything that is wrong, `FRR202` where only labels are, `FRR102` for a
 * file that cannot be read, `FRR103` for a malformed file of variables.
 */
export async function loadConfig(path: string | undefined, options: LoadOptions = {}): Promise<RunnerConfig> {
  const defaults = 'built-in defaults';
  const shown = path === undefined ? defaults : options.cwd === undefined ? path : shownPath(path, options.cwd);
  let text = '';
  try {
    if (path !== undefined) text = await readFile(path, 'utf8');
  } catch (error) {
    const found = (error as NodeJS.ErrnoException).code;
    throw new UserError('FRR102', {
      problems: [{ message: `expected a readable configuration file at ${quoted(shown)}, found ${found}` }],
      next: 'forgejo-runner generate-config writes one to start from',
      cause: error,
    });
  }
  const { config, problems, code } = readPartly(text, shown, options.env);
  if (code === undefined) return withEnvFile(config, options.cwd);
  const more = config === undefined ? [] : ((await options.lookFurther?.(config)) ?? []);
  throw wrong(code, [...problems, ...more]);
}

/** As in the Go runner, a file that is missing is no mistake, and its variables win over those of the configuration. */
async function withEnvFile(config: RunnerConfig, cwd: string | undefined): Promise<RunnerConfig> {
  const { envs, envFile } = config.runner;
  if (envFile === undefined) return config;
  const more = await readEnvFile(resolve(envFile), { mayBeMissing: true, ...(cwd === undefined ? {} : { cwd }) });
  return { ...config, runner: { ...config.runner, envs: new Map([...envs, ...more]) } };
}

/** Reads the text of a configuration file. @throws {UserError} as {@link loadConfig} does. */
export function readConfig(text: string, file: string, env?: Environment): RunnerConfig {
  const { config, problems, code } = readPartly(text, file, env);
  if (code !== undefined) throw wrong(code, problems);
  return config;
}

/** A configuration, or why it is none and what can be used of it. */
type PartlyRead =
  | { readonly config: RunnerConfig; readonly problems: readonly []; readonly code?: undefined }
  | {
      readonly config: RunnerConfig | undefined;
      readonly problems: readonly Problem[];
      readonly code: 'FRR201' | 'FRR202';
    };

function readPartly(text: string, file: string, env: Environment = {}): PartlyRead {
  const source = withOverrides(parse(text, file), env);
  const isEmpty = text === '' && source.kind === 'scalar';
  const plain = withoutNulls(plainValue(source, configSchema));
  const read = readWritten(plain);
  const { labels, problems: ofLabels } = allLabels(source);
  const problems = [
    ...specialKeys(source),
    ...(read.issues === undefined ? [] : configProblems(read.issues, source, configSchema)),
  ];
  if (read.issues === undefined && problems.length === 0) {
    const config = { ...read.config, ...(isEmpty ? {} : { source }), labels };
    return ofLabels.length === 0 ? { config, problems: [] } : { config, problems: ofLabels, code: 'FRR202' };
  }
  const usable = read.issues === undefined ? undefined : usableConfig(plain, read.issues);
  const config = usable && withoutLeft({ ...usable.config, source, labels }, usable.left);
  return { config, problems: [...problems, ...ofLabels], code: 'FRR201' };
}

/** Nothing can be said about labels whose backend was left out. */
function withoutLeft(config: RunnerConfig, left: readonly ConfigPath[]): RunnerConfig {
  const ids = left.filter(([section]) => section === 'backend' || section === 'plugins').map(([, id]) => id);
  const isKnown = (label: LabelConfiguration): boolean => !ids.some((id) => id === undefined || id === label.backend);
  return { ...config, labels: config.labels.filter(isKnown) };
}

function parse(text: string, file: string): YamlNode {
  try {
    return parseYaml(text, file);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError('FRR201', { problems: error.problems, cause: error });
  }
}

/** An empty file is a mapping without keys. */
function withoutNulls(plain: unknown): unknown {
  return plain === null ? {} : plain;
}

/** A key that JavaScript would take for something else never gets to the schema, which would pass over it. */
function specialKeys(node: YamlNode): readonly Problem[] {
  if (node.kind === 'scalar') return [];
  if (node.kind === 'sequence') return node.items.flatMap(specialKeys);
  return node.entries.flatMap(({ key, keyAt, value }) => [
    ...(key === '__proto__' ? [{ message: 'expected another key than "__proto__"', at: keyAt }] : []),
    ...specialKeys(value),
  ]);
}

function allLabels(root: YamlNode): {
  readonly labels: readonly LabelConfiguration[];
  readonly problems: readonly Problem[];
} {
  const connections = nodeAt(root, ['server', 'connections']);
  const names = connections?.kind === 'mapping' ? connections.entries.map((entry) => entry.key) : [];
  const lists = [
    readLabels(nodeAt(root, ['runner', 'labels'])),
    ...names.map((name) => readLabels(nodeAt(root, ['server', 'connections', name, 'labels']), name)),
  ];
  return { labels: lists.flatMap((list) => list.labels), problems: lists.flatMap((list) => list.problems) };
}

function inOrder(problems: readonly Problem[]): readonly Problem[] {
  return problems.toSorted(
    (a, b) => (a.at?.line ?? 0) - (b.at?.line ?? 0) || (a.at?.column ?? 0) - (b.at?.column ?? 0),
  );
}

function wrong(code: 'FRR201' | 'FRR202', problems: readonly Problem[]): UserError {
  const next = `docs/reference/${code === 'FRR201' ? 'config' : 'labels'}.md has all that is possible`;
  return new UserError(code, { problems: inOrder(problems), next });
}
