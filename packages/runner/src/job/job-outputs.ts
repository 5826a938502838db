import { interpolate } from '../expressions/interpolate.ts';
import type { Scope } from '../expressions/scope.ts';
import type { Value } from '../expressions/values.ts';
import type { Job } from '../workflow/model.ts';

/** Outputs of a job, and what was wrong with those that are missing. */
export interface JobOutputs {
  readonly values: ReadonlyMap<string, Value>;
  readonly warnings: readonly string[];
}

/** Limits of the server: larger outputs would be dropped there without a word. */
const maxKeyBytes = 255;
const maxValueBytes = 1024 * 1024;

/**
 * Evaluates the outputs of a job after its last step. An output that holds a secret is left out, as on GitHub: jobs
 * that need it would show it.
 */
export async function jobOutputs(
  job: Pick<Job, 'outputs'>,
  scope: Scope,
  hasSecret: (text: string) => boolean,
): Promise<JobOutputs> {
  const values = new Map<string, Value>();
  const warnings: string[] = [];
  for (const [name, node] of job.outputs) {
    try {
      const value = await interpolate(node, scope);
      const refusal = refusalOf(name, value, hasSecret);
      if (refusal === undefined) values.set(name, value);
      else warnings.push(refusal);
    } catch (error) {
      warnings.push(`Output "${name}" is left out: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { values, warnings };
}

function refusalOf(name: string, value: string, hasSecret: (text: string) => boolean): string | undefined {
  if (Buffer.byteLength(name) > maxKeyBytes)
    return `Output "${name.slice(0, 60)}…" is left out: its name has more than ${maxKeyBytes} bytes`;
  if (Buffer.byteLength(value) > maxValueBytes)
    return `Output "${name}" is left out: it has more than ${maxValueBytes} bytes`;
  if (hasSecret(value)) return `Output "${name}" is left out: it may hold a secret`;
  return undefined;
}
