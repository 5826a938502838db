import type { Capabilities } from '@forgejo-runner/core';
import * as z from 'zod';

/** Options of a label, such as `small:__ID__?pass=LANG&pass=TZ`. */
export interface LabelOptions {
  /** Names of variables of the runner that jobs see too. */
  readonly pass: readonly string[];
}

const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected the name of a variable');

export const labelSchema: z.ZodType<LabelOptions> = z.strictObject({
  // The string form gives one value as a string and several as an array.
  pass: z.union([z.array(variable), variable.transform((one) => [one])]).prefault([]),
});

/**
 * What every label can do. The runner refuses a job that needs more, and the conformance suite checks what is claimed:
 * claim something once it works.
 */
export const capabilities: Capabilities = {
  // With `native` the environment has createJobContainer and its like; with `docker-endpoint` it hands out an engine.
  containers: { via: 'none' },
  exec: { stdin: true, tty: false, user: false, signals: true, resume: false },
  files: { ownership: false, shared: true },
  isolation: 'none',
  recover: false,
  features: [],
};
