import { z } from 'zod';
import { type Target, targets } from '../package/target.ts';
import { distributionSchema, type WrittenDistribution } from './distribution.ts';

const text = z.string().min(1, 'expected a text, found an empty one');
const texts = z.array(text);
const byName = z.record(text, text);

/**
 * A manifest as it is written: the flags of `build` by their own names, `extends` and `distribution`. Lists stand for repeated flags,
 * mappings for flags of the form NAME=VALUE.
 */
export interface WrittenManifest {
  readonly extends?: string | readonly string[];
  readonly with?: readonly string[];
  readonly without?: readonly string[];
  readonly replace?: Readonly<Record<string, string>>;
  readonly 'allow-untyped'?: readonly string[];
  readonly override?: Readonly<Record<string, string>>;
  readonly native?: Readonly<Record<string, 'stub' | 'embed' | 'fail'>>;
  readonly 'min-release-age'?: string | number;
  readonly 'allow-fresh'?: readonly string[];
  readonly 'allow-scripts'?: readonly string[];
  readonly 'deny-license'?: readonly string[];
  readonly budget?: Readonly<Record<string, string | number>>;
  readonly strict?: boolean;
  readonly 'smoke-run'?: boolean;
  readonly output?: string;
  readonly sea?: boolean;
  readonly target?: readonly Target[];
  readonly distribution?: WrittenDistribution;
}

const schema = z
  .strictObject({
    extends: z.union([text, texts]).exactOptional().meta({
      description: 'Manifests that this one builds on, as paths relative to it; what stands here wins',
    }),
    with: texts.exactOptional().meta({
      description: 'Backend packages: NAME[@VERSION|@RANGE], NAME=PATH, PATH, tarball or git URL',
    }),
    without: texts.exactOptional().meta({
      description: 'Default backends, or backends of an extended manifest, to leave out: short name or package',
    }),
    replace: byName.exactOptional().meta({
      description: 'Package name to the folder that is used wherever the package is imported',
    }),
    'allow-untyped': texts.exactOptional().meta({
      description: 'Packages that may go without types that prove something',
    }),
    override: byName.exactOptional().meta({
      description: 'Package name to the version that is used wherever the package is wanted',
    }),
    native: z
      .record(text, z.enum(['stub', 'embed', 'fail']))
      .exactOptional()
      .meta({
        description: 'Package to what becomes of its native addons: left out, put into the result, or an error',
      }),
    'min-release-age': z
      .union([text, z.literal(0)])
      .exactOptional()
      .meta({
        description: 'Versions younger than this are not chosen, such as 3d; official packages are exempt',
      }),
    'allow-fresh': texts.exactOptional().meta({ description: 'Packages that may be younger' }),
    'allow-scripts': texts.exactOptional().meta({
      description: 'Packages whose install scripts run; those of all others never do',
    }),
    'deny-license': texts.exactOptional().meta({
      description:
        'SPDX licences that no package in the result may have, such as AGPL-*; none for packages that name no licence',
    }),
    budget: z
      .record(text, z.union([text, z.literal(0)]))
      .exactOptional()
      .meta({
        description:
          'What may not be exceeded: size of the result, start and import in time, or a package name to its size',
      }),
    strict: z.boolean().exactOptional().meta({ description: 'Warnings are errors' }),
    'smoke-run': z.boolean().exactOptional().meta({
      description: 'Start the result before it is written; true unless it says false',
    }),
    output: text.exactOptional().meta({ description: 'File of the result, relative to the manifest' }),
    sea: z.boolean().exactOptional().meta({ description: 'Make one executable that needs no Node' }),
    target: z.array(z.enum(targets)).exactOptional().meta({
      description: 'Platforms to make an executable for; with several, each has its name behind that of output',
    }),
    distribution: distributionSchema
      .exactOptional()
      .meta({ description: 'Whose runner it is: for pack, and shown by the runner' }),
  })
  .meta({
    title: 'Manifest of forgejo-runner-build',
    description: 'What to build: forgejo-runner.build.yaml. The reference is docs/reference/manifest.md',
  });

/** What a manifest has to look like. */
export const manifestSchema: z.ZodType<WrittenManifest> = schema;

/** All keys in their order. */
export const manifestKeys: readonly string[] = Object.keys(schema.shape);

/** The JSON Schema that editors and other tools read: `manifest.schema.json` of this package. */
export function manifestJsonSchema(): object {
  return z.toJSONSchema(schema, { target: 'draft-7' });
}
