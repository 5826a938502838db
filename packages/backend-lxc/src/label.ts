import type { Capabilities } from '@forgejo-runner/core';
import * as z from 'zod';
import { defaultPresets, type Preset, presetNames } from './presets.ts';

/** Options of a label as the schema leaves them. */
export interface LxcLabel {
  /** A name of `templates` of the configuration, or a distribution. */
  readonly template: string;
  /** Of the distribution; absent where `template` is a name of the configuration. */
  readonly release?: string;
  readonly presets: readonly Preset[];
  readonly memory?: number;
  readonly cpus?: number;
  readonly pids?: number;
  /** A Docker engine runs in the container, for job containers, services and Docker actions. */
  readonly docker: boolean;
}

const defaultTemplate = 'debian:bookworm';

/** The string form brings texts, the mapping form what YAML made of it. */
const number = z
  .union([
    z.number(),
    z
      .string()
      .regex(/^\d+(?:\.\d+)?$/, 'expected a number')
      .transform(Number),
  ])
  .pipe(z.number().positive('expected a number above 0'));
const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')]);
const oneOf = presetNames.join('|');
const presetText = z
  .string()
  .regex(
    new RegExp(`^(?:(?:${oneOf})(?:[\\s,]+|$))*$`),
    `expected presets (${presetNames.join(', ')}), each after a space or comma`,
  )
  // The pattern lets nothing else through.
  .transform((text) => text.split(/[\s,]+/).filter((name) => name !== '') as Preset[]);
const presetList = z.union([z.array(z.enum(presetNames)), presetText], {
  error: `expected presets (${presetNames.join(', ')}), as a list or in one text`,
});

const options = z.strictObject({
  image: z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9._-]*(?::[a-z0-9._-]*(?::[a-z0-9 ]*)?)?$/,
      `expected TEMPLATE, TEMPLATE:RELEASE or TEMPLATE:RELEASE:PRESETS such as "${defaultTemplate}"`,
    )
    .prefault(defaultTemplate)
    .describe('Template, release and presets: `debian:bookworm:docker`.'),
  presets: presetList.exactOptional().describe(`What the container may do: ${presetNames.join(', ')}.`),
  memory: number.exactOptional().describe('Memory in MiB.'),
  cpus: number.exactOptional().describe('Processors, such as 1.5.'),
  pids: number.pipe(z.int()).exactOptional().describe('Most processes.'),
  docker: flag
    .prefault(false)
    .describe('A Docker engine in the container runs containers, services and Docker actions.'),
});

/** Options of a label: `lxc://debian:bookworm`, or a mapping. */
export const labelSchema: z.ZodType<LxcLabel> = options.transform((given, ctx) => {
  const { image, presets: written, ...rest } = given;
  const [template = '', release = '', third = ''] = image.split(':');
  const inText = presetText.safeParse(third);
  if (!inText.success) {
    for (const issue of inText.error.issues)
      ctx.issues.push({ code: 'custom', message: issue.message, path: ['image'], input: image });
    return z.NEVER;
  }
  if (inText.data.length > 0 && written !== undefined) {
    ctx.issues.push({
      code: 'custom',
      message: 'expected presets in the argument or in the option, found both',
      path: ['presets'],
      input: written,
    });
    return z.NEVER;
  }
  const presets = written ?? (inText.data.length > 0 ? inText.data : defaultPresets);
  if (rest.docker && presets.includes('unprivileged')) {
    ctx.issues.push({
      code: 'custom',
      message: 'expected "docker" without the preset "unprivileged": an engine needs more rights',
      path: ['docker'],
      input: rest.docker,
    });
    return z.NEVER;
  }
  return { template, ...(release === '' ? {} : { release }), presets, ...rest };
});

/** What labels can do; with an engine in the container also what that can. */
export function lxcCapabilities({ docker }: Pick<LxcLabel, 'docker'>): Capabilities {
  return {
    containers: { via: docker ? 'docker-endpoint' : 'none' },
    exec: { stdin: true, tty: false, user: true, signals: true, resume: false },
    files: { ownership: true, shared: false },
    isolation: 'container',
    recover: false,
    features: [],
  };
}
