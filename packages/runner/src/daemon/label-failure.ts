import { type BackendFactory, isBackendError, type LabelConfiguration } from '@forgejo-runner/core';
import { foreignProblems } from '../config/config-problems.ts';
import type { ConfigPath } from '../config/config-place.ts';
import type { RunnerConfig } from '../config/runner-config.ts';
import { type Problem, quoted } from '../user-error.ts';
import { optionsOf } from './schema-keys.ts';

/** What helps to say where a label is wrong, and what was meant. */
export interface LabelSurroundings {
  readonly config: RunnerConfig;
  readonly factory: BackendFactory | undefined;
}

/** Why a backend refused a label: each option in its own place in the mapping form, else the label's. */
export function labelFailure(
  label: LabelConfiguration,
  error: unknown,
  { config, factory }: LabelSurroundings,
): readonly Problem[] {
  const subject = `label ${quoted(label.name)} for backend ${quoted(label.backend)}`;
  const at = label.where;
  const say = (message: string): Problem => (at === undefined ? { message } : { message, at });
  if (!isBackendError(error)) return [say(`${subject}: ${unbrandedFailure(error)}`)];
  const { issues = [], hint } = error.details;
  if (issues.length === 0) return [say(`${subject}: ${error.message}${hint === undefined ? '' : `; ${hint}`}`)];
  const root = label.form === 'mapping' && at !== undefined ? config.source : undefined;
  const options = factory === undefined ? undefined : optionsOf(factory, 'label');
  const problems = foreignProblems(issues, { subject, root, base: optionsPath(label), options });
  return problems.map((problem) => (problem.at === undefined ? say(problem.message) : problem));
}

/** What can be said of an error that is none of the contract's. */
export function unbrandedFailure(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // The runner's own limit of the call, not a defect.
  const isTimeout = error instanceof DOMException && error.name === 'TimeoutError';
  return isTimeout ? text : `met a defect of the backend: ${text}`;
}

function optionsPath(label: LabelConfiguration): ConfigPath {
  const list = label.connection === undefined ? ['runner'] : ['server', 'connections', label.connection];
  return [...list, 'labels', label.name, 'backend-options'];
}
