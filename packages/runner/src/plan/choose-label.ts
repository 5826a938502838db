import type { Value } from '../expressions/values.ts';
import { quoted, UserError } from '../user-error.ts';
import type { Place } from '../workflow/yaml-node.ts';
import type { LabelLookup, ServedLabel } from './planned-job.ts';

/**
 * Finds the label that runs a job: the first entry of `runs-on` that this runner serves. The server hands a job out
 * only to a runner that has all of its labels; which backend runs it is for the first one to say.
 *
 * @throws UserError `FRR501` that lists what was asked for and what there is, `FRR503` for a `runs-on` of wrong shape.
 */
export function chooseLabel(runsOn: Value, at: Place, labels: LabelLookup): ServedLabel {
  const wanted = labelNames(runsOn, at);
  for (const name of wanted) {
    const label = labels.get(name);
    if (label !== undefined) return label;
  }
  const present = labels.names().toSorted().map(quoted);
  throw new UserError('FRR501', {
    problems: [
      {
        at,
        message: `expected a label of this runner in runs-on, found ${wanted.map(quoted).join(', ') || 'none'}; this runner has ${present.join(', ') || 'no labels'}`,
      },
    ],
    next: `add the label to the configuration; in a local run give it a backend: --platform ${wanted[0] ?? 'LABEL'}=host`,
  });
}

/** The names in any form of `runs-on`: a name, a list, or a mapping of group and labels. */
function labelNames(runsOn: Value, at: Place): readonly string[] {
  if (typeof runsOn === 'string') return [runsOn];
  if (runsOn instanceof Map) {
    const group = runsOn.get('group') ?? null;
    const labels = runsOn.get('labels') ?? null;
    return [...(labels === null ? [] : labelNames(labels, at)), ...(group === null ? [] : labelNames(group, at))];
  }
  if (Array.isArray(runsOn)) {
    // A type guard does not narrow readonly arrays: the elements are values all the same.
    const entries = runsOn as readonly Value[];
    if (entries.every((entry) => typeof entry === 'string')) return entries;
  }
  throw new UserError('FRR503', {
    problems: [{ at, message: 'expected runs-on to be a name, a list of names or a mapping with labels' }],
    next: 'write runs-on: NAME',
  });
}
