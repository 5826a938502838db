import type { Capabilities } from '@forgejo-runner/core';
import * as z from 'zod';

const noArgument = 'it takes no argument; write it as NAME:host';

/** Options of a label as the schema leaves them. */
export interface HostLabel {
  readonly image?: never;
}

/** Options of a label: none. An argument arrives as `image`. */
export const labelSchema: z.ZodType<HostLabel> = z.strictObject(
  { image: z.never({ error: noArgument }).exactOptional() },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `expected no options, found ${quoted(issue.keys)}; leave them out`
        : undefined,
  },
);

function quoted(keys: unknown): string {
  const names = Array.isArray(keys) ? keys.map(String) : [];
  return names.map((name) => JSON.stringify(name.slice(0, 200))).join(', ');
}

/** What every label of this backend can do; with an engine also what that can. */
export const hostCapabilities: Capabilities = {
  containers: { via: 'none' },
  exec: { stdin: true, tty: false, user: false, signals: true, resume: false },
  files: { ownership: false, shared: true },
  isolation: 'none',
  recover: false,
  features: [],
};

/** What labels can do where an engine runs the containers of jobs. */
export const capabilitiesWithEngine: Capabilities = { ...hostCapabilities, containers: { via: 'docker-endpoint' } };
