import type * as z from 'zod';
import type { ConfigPath } from './config-place.ts';
import type { RunnerConfig } from './runner-config.ts';
import { readWritten } from './schema.ts';

/** What is right in a file that is wrong elsewhere, with the defaults for the rest. */
export interface UsableConfig {
  readonly config: Omit<RunnerConfig, 'labels' | 'source'>;
  /** What was left out. */
  readonly left: readonly ConfigPath[];
}

/**
 * Leaves out what the schema complains of until it complains no more, so that what else is wrong can be told at once.
 * Undefined where that comes to no end.
 */
export function usableConfig(plain: unknown, issues: readonly z.core.$ZodIssue[]): UsableConfig | undefined {
  let values = plain;
  let wrong = issues;
  const left: ConfigPath[] = [];
  // Each round leaves out a key at least; a configuration has fewer of them.
  for (let round = 0; round < 1000; round += 1) {
    const paths = wrong.flatMap(pathsOf).map((path) => existing(values, path));
    for (const path of paths) values = path.length === 0 ? {} : without(values, path);
    left.push(...paths);
    const read = readWritten(values);
    if (read.issues === undefined) return { config: read.config, left };
    wrong = read.issues;
  }
  return undefined;
}

function pathsOf(issue: z.core.$ZodIssue): readonly ConfigPath[] {
  return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
}

/** What there is to leave out: of a list all, as positions in it must not move; in place of a missing key its mapping. */
function existing(values: unknown, path: ConfigPath): ConfigPath {
  let node = values;
  for (const [depth, key] of path.entries()) {
    if (!isMapping(node) || !Object.hasOwn(node, key)) return path.slice(0, depth);
    node = node[String(key)];
  }
  return path;
}

function without(values: unknown, [key, ...rest]: ConfigPath): unknown {
  if (key === undefined || !isMapping(values)) return values;
  const entries = Object.entries(values).flatMap(([name, value]): [string, unknown][] => {
    if (name !== String(key)) return [[name, value]];
    return rest.length === 0 ? [] : [[name, without(value, rest)]];
  });
  return Object.fromEntries(entries);
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
