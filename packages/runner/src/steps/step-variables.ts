import type { EnvironmentInfo } from '@forgejo-runner/core';

/** Where the variables of a step come from, the weakest first. */
export interface VariableSources {
  /** Of the image or machine. */
  readonly machine: Readonly<Record<string, string>>;
  /** Those that every step sees and any other source replaces. */
  readonly replaceable: ReadonlyMap<string, string>;
  /** Of the administrator. */
  readonly administrator: ReadonlyMap<string, string>;
  /** Of workflow and job, and of `GITHUB_ENV` since. */
  readonly job: ReadonlyMap<string, string>;
  /** Those that every step sees. */
  readonly base: ReadonlyMap<string, string>;
  /** Of a composite action's caller, then of the step itself. */
  readonly step: ReadonlyMap<string, string>;
  /** Inputs and state of an action. */
  readonly action: ReadonlyMap<string, string>;
  /** Folders that steps put before the search path. */
  readonly path: readonly string[];
}

/**
 * The whole environment of a step's process: later sources win. Where names ignore case, a later spelling replaces an
 * earlier one.
 */
export function stepVariables(sources: VariableSources, info: EnvironmentInfo): Record<string, string> {
  const variables = new Map<string, readonly [name: string, value: string]>();
  const set = (name: string, value: string): void => {
    variables.set(info.env.caseInsensitive ? name.toUpperCase() : name, [name, value]);
  };
  for (const [name, value] of Object.entries(sources.machine)) set(name, value);
  const { replaceable, administrator } = sources;
  for (const source of [replaceable, administrator, sources.job, sources.base, sources.step, sources.action]) {
    for (const [name, value] of source) set(name, value);
  }
  const key = info.env.caseInsensitive ? info.env.pathName.toUpperCase() : info.env.pathName;
  const [pathName, path] = variables.get(key) ?? [info.env.pathName, info.env.defaultPath];
  const folders = [...sources.path, path].filter((folder) => folder !== '');
  set(pathName, folders.join(info.env.pathSeparator));
  return Object.fromEntries(variables.values());
}
