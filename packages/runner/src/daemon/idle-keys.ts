import { nodeAt } from '../config/config-place.ts';
import type { RunnerConfig } from '../config/runner-config.ts';

/** Keys that are read, and change nothing in this version; each with what to do. */
const idle: readonly (readonly [key: string, why: string])[] = [
  [
    'log.job_level',
    'the log of a job has what its steps write, and what went wrong; the secret ACTIONS_STEP_DEBUG adds more',
  ],
];

/** Says which keys of a configuration change nothing, with their places. */
export function idleKeys({ source }: RunnerConfig): readonly string[] {
  return idle.flatMap(([key, why]) => {
    const node = nodeAt(source, key.split('.'));
    // The Go runner's example sets every key to its default.
    if (node?.kind !== 'scalar' || node.value === null || node.value === 'info') return [];
    return [`${node.at.file}:${node.at.line}:${node.at.column}: ${key} changes nothing: ${why}`];
  });
}
