import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { LabelConfiguration } from '@forgejo-runner/core';
import { type Problem, quoted, UserError } from '../user-error.ts';
import type { YamlNode } from '../workflow/yaml-node.ts';
import { parseYaml } from '../workflow/yaml-source.ts';
import { nodeAt } from './config-place.ts';
import { configProblems } from './config-problems.ts';
import { readEnvFile } from './env-file.ts';
import { readLabels } from './labels.ts';
import { plainValue } from './plain-value.ts';
import type { RunnerConfig } from './runner-config.ts';
import { configSchema, readWritten } from './schema.ts';

/**
 * Reads a configuration file, and what `runner.env_file` names into `runner.envs`; without a file it is all defaults.
 *
 * @throws {UserError} `FRR201` with the place of everything that is wrong, `FRR202` where only labels are, `FRR102` for a
 * file that cannot be read, `FRR103` for a malformed file of variables.
 */
export async function loadConfig(path: string | undefined): Promise<RunnerConfig> {
  if (path === undefined) return readConfig('', 'built-in defaults');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const found = (error as NodeJS.ErrnoException).code;
    throw new UserError('FRR102', {
      problems: [{ message: `expected a readable configuration file at ${quoted(path)}, found ${found}` }],
      next: 'forgejo-runner generate-config writes one to start from',
      cause: error,
    });
  }
  return withEnvFile(readConfig(text, path));
}

/** As in the Go runner, a file that is missing is no mistake, and its variables win over those of the configuration. */
async function withEnvFile(config: RunnerConfig): Promise<RunnerConfig> {
  const { envs, envFile } = config.runner;
  if (envFile === undefined) return config;
  const more = await readEnvFile(resolve(envFile), { mayBeMissing: true });
  return { ...config, runner: { ...config.runner, envs: new Map([...envs, ...more]) } };
}

/** Reads the text of a configuration file. @throws {UserError} as {@link loadConfig} does. */
export function readConfig(text: string, file: string): RunnerConfig {
  const source = parse(text, file);
  const read = readWritten(withoutNulls(plainValue(source, configSchema)));
  const ofLabels = allLabels(source);
  const problems = [
    ...specialKeys(source),
    ...(read.issues === undefined ? [] : configProblems(read.issues, source, configSchema)),
  ];
  if (read.issues !== undefined || problems.length > 0) {
    throw wrong('FRR201', inOrder([...problems, ...ofLabels.problems]));
  }
  if (ofLabels.problems.length > 0) throw wrong('FRR202', ofLabels.problems);
  return { ...read.config, ...(text === '' ? {} : { source }), labels: ofLabels.labels };
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
  return new UserError(code, { problems, next });
}
