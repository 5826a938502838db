import { z } from 'zod';

const text = z.string().min(1, 'expected a text, found an empty one');
const texts = z.array(text);
const byName = z.record(text, text);

/**
 * A manifest as it is written: the flags of `build` by their own names, and `extends`. Lists stand for repeated flags,
 * mappings for flags of the form NAME=VALUE.
 */
export interface WrittenManifest {
  readonly extends?: string | readonly string[];
  readonly with?: readonly string[];
  readonly without?: readonly string[];
  readonly replace?: Readonly<Record<string, string>>;
  readonly 'allow-untyped'?: readonly string[];
  readonly 'stub-native'?: readonly string[];
  readonly strict?: boolean;
  readonly 'smoke-run'?: boolean;
  readonly output?: string;
  readonly sea?: boolean;
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
    'stub-native': texts.exactOptional().meta({
      description: 'Packages whose native addons are left out',
    }),
    strict: z.boolean().exactOptional().meta({ description: 'Warnings are errors' }),
    'smoke-run': z.boolean().exactOptional().meta({
      description: 'Start the result before it is written; true unless it says false',
    }),
    output: text.exactOptional().meta({ description: 'File of the result, relative to the manifest' }),
    sea: z.boolean().exactOptional().meta({ description: 'Make one executable that needs no Node' }),
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
