import { formatLabel, isBackendError, type LabelConfiguration, parseLabel } from '@forgejo-runner/core';
import type { LabelLookup, ServedLabel } from '../plan/planned-job.ts';
import { type Problem, quoted, UserError } from '../user-error.ts';

/** Where `exec` takes its labels from. */
export interface ExecLabelOptions {
  /** `label=backend:argument`, which beat the others. */
  readonly platforms: readonly string[];
  /** Labels of the configuration. */
  readonly configured: readonly LabelConfiguration[];
  /** `--image`: for every label that nothing else serves. Absent: no such label. */
  readonly image?: string;
}

/** Labels to open backends for. `fallback` serves every name that is no label. */
export interface ExecLabels {
  readonly labels: readonly LabelConfiguration[];
  readonly fallback?: string;
}

/** Name of the label that stands for all others, as messages show it. No workflow reaches it by this name. */
const anyLabel = '--image';

/**
 * Takes the labels of a local run together.
 *
 * @throws UserError `FRR101` with every `--platform` that cannot be read.
 */
export function execLabels(options: ExecLabelOptions): ExecLabels {
  const labels = new Map(options.configured.map((label) => [label.name, label]));
  const problems: Problem[] = [];
  for (const platform of options.platforms) {
    const label = readPlatform(platform, problems);
    if (label !== undefined) labels.set(label.name, label);
  }
  if (problems.length > 0) throw new UserError('FRR101', { problems, next: 'write --platform ubuntu-latest=host' });
  if (options.image === undefined) return { labels: [...labels.values()] };
  const fallback = parseLabel(options.image === '-self-hosted' ? `${anyLabel}:host` : `${anyLabel}:docker`);
  const withImage = options.image === '-self-hosted' ? fallback : { ...fallback, options: { image: options.image } };
  return { labels: [...labels.values(), withImage], fallback: anyLabel };
}

/** The labels of a run as the plan looks them up. */
export function lookUpLabels(served: ReadonlyMap<string, ServedLabel>, fallback: string | undefined): LabelLookup {
  return {
    get: (name) => {
      const own = name === fallback ? undefined : served.get(name);
      const other = fallback === undefined ? undefined : served.get(fallback);
      if (own !== undefined || other === undefined) return own;
      const configuration = { ...other.configuration, name };
      return { ...other, configuration, resolved: { ...other.resolved, canonical: formatLabel(configuration) } };
    },
    names: () => [...served.keys()].filter((name) => name !== fallback),
  };
}

function readPlatform(platform: string, problems: Problem[]): LabelConfiguration | undefined {
  const at = platform.indexOf('=');
  if (at <= 0) {
    problems.push({ message: `expected label=backend[:argument] after --platform, found ${quoted(platform)}` });
    return undefined;
  }
  const [name, backend] = [platform.slice(0, at), platform.slice(at + 1)];
  try {
    // The Go runner's word for the machine itself.
    return parseLabel(backend === '-self-hosted' ? `${name}:host` : `${name}:${backend}`);
  } catch (error) {
    if (!isBackendError(error)) throw error;
    problems.push({ message: `--platform ${quoted(platform)}: ${error.message}` });
    return undefined;
  }
}
