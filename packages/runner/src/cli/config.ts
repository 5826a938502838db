import { resolve } from 'node:path';
import { formatLabel } from '@forgejo-runner/core';
import { nodeAt } from '../config/config-place.ts';
import { configJsonSchema } from '../config/json-schema.ts';
import { listSettings } from '../config/list-settings.ts';
import { loadConfig } from '../config/load.ts';
import { plainValue } from '../config/plain-value.ts';
import type { RunnerConfig } from '../config/runner-config.ts';
import { backendProblems } from '../daemon/backend-problems.ts';
import { readContainerPolicy } from '../daemon/container-policy.ts';
import { idleKeys } from '../daemon/idle-keys.ts';
import { resolveConnections } from '../daemon/resolve-connections.ts';
import { UserError } from '../user-error.ts';
import type { YamlNode } from '../workflow/yaml-node.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';
import { formatTable } from './format-table.ts';

/** What `config` was asked for. */
export interface ConfigOptions {
  readonly what: 'check' | 'schema';
  readonly config?: string;
  readonly json?: boolean;
}

/** A value that counts, and where it comes from. */
interface EffectiveValue {
  readonly key: string;
  /** Hidden where it is a secret. */
  readonly value: unknown;
  /** `file:line:column`, the name of a variable, or `default`. */
  readonly from: string;
}

/** `config check` explains the configuration that counts here; `config schema` describes the file for editors. */
export async function runConfig(options: ConfigOptions, context: CommandContext): Promise<number> {
  const { io } = context;
  if (options.what === 'schema') {
    io.stdout.write(`${JSON.stringify(configJsonSchema(), undefined, 2)}\n`);
    return exitCodes.success;
  }
  const path = options.config === undefined ? undefined : resolve(io.cwd, options.config);
  const { cwd, env } = io;
  const lookFurther = (config: RunnerConfig) => backendProblems({ ...context, config, labels: config.labels });
  const config = await loadConfig(path, { cwd, env, lookFurther });
  const { labels, connections } = await resolveConnections({ config, flags: {}, env, cwd });
  const problems = await backendProblems({ ...context, config, labels });
  if (problems.length > 0)
    throw new UserError('FRR203', { problems, next: 'docs/reference/labels.md has the forms of labels' });
  const warnings = [...readContainerPolicy(config).warnings, ...idleKeys(config)];
  const values = effectiveValues(config.source);
  const shownLabels = labels.map((label) => ({
    label: formatLabel(label),
    ...(label.connection === undefined ? {} : { connection: label.connection }),
  }));
  const shownConnections = connections.map(({ name, address, uuid, fetchIntervalMs, file }) => ({
    name,
    url: address.shown,
    uuid,
    fetchIntervalMs,
    from: file === undefined ? 'server.connections' : file.path,
  }));
  if (options.json === true) {
    const answer = { schema: 1, values, labels: shownLabels, connections: shownConnections, warnings };
    io.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
    return exitCodes.success;
  }
  io.stdout.write(
    [
      formatTable([['KEY', 'VALUE', 'FROM'], ...values.map(({ key, value, from }) => [key, textOf(value), from])]),
      formatTable([
        ['CONNECTION', 'URL', 'UUID', 'EVERY', 'FROM'],
        ...shownConnections.map((one) => [one.name, one.url, one.uuid, `${one.fetchIntervalMs / 1000}s`, one.from]),
      ]),
      formatTable([
        ['LABEL', 'CONNECTION'],
        ...shownLabels.map(({ label, connection }) => [label, connection ?? 'all']),
      ]),
    ].join('\n'),
  );
  for (const warning of warnings) io.stderr.write(`warning: ${warning}\n`);
  return exitCodes.success;
}

/** Every key with the value that counts. Keys with names of somebody's own are there where they are written. */
function effectiveValues(source: YamlNode | undefined): readonly EffectiveValue[] {
  return listSettings().flatMap(({ path, setting }) => {
    if (setting === undefined) return [];
    const written = expand(source, path);
    if (written.length === 0) {
      const isShown = setting.byDefault !== undefined && !path.includes('<name>') && setting.isDeprecated !== true;
      return isShown ? [{ key: path.join('.'), value: setting.byDefault, from: 'default' }] : [];
    }
    return written.map(({ key, node }) => ({
      key,
      value: hidden(plainValue(node), setting.isSecret === true || path.at(-1) === 'envs'),
      from: node.at.file.startsWith('$') ? node.at.file : `${node.at.file}:${node.at.line}:${node.at.column}`,
    }));
  });
}

const secretName = /token|secret|passw|credential|(?:^|_)key$/i;

/** Variables of jobs may be secrets, and so may what a backend is told. */
function hidden(value: unknown, isSecret: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => hidden(item, isSecret));
  if (typeof value !== 'object' || value === null) return isSecret ? '***' : value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, hidden(inner, isSecret || secretName.test(key))]),
  );
}

function expand(
  source: YamlNode | undefined,
  path: readonly string[],
): readonly { readonly key: string; readonly node: YamlNode }[] {
  const at = path.indexOf('<name>');
  if (at < 0) {
    const node = nodeAt(source, path);
    const isSet = node !== undefined && !(node.kind === 'scalar' && node.value === null);
    return isSet ? [{ key: path.join('.'), node }] : [];
  }
  const parent = nodeAt(source, path.slice(0, at));
  const names = parent?.kind === 'mapping' ? parent.entries.map(({ key }) => key) : [];
  return names.flatMap((name) => expand(source, [...path.slice(0, at), name, ...path.slice(at + 1)]));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
