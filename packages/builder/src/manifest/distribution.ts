import path from 'node:path';
import { z } from 'zod';

/** Whose runner it is, as it is written under `distribution` in a manifest. */
export interface WrittenDistribution {
  readonly name?: string;
  readonly version?: string;
  readonly title?: string;
  readonly vendor?: string;
  readonly homepage?: string;
  readonly support?: string;
  readonly files?: string;
}

/** The name that a distribution ships runners under. */
export interface Distribution extends Omit<WrittenDistribution, 'files'> {
  /** Folder of files that go into every archive. Absolute. */
  readonly files?: string;
}

/** What a runner knows of the distribution that it belongs to. */
export interface BuiltDistribution {
  /** As it stands in names of files and images. */
  readonly name: string;
  readonly version?: string;
  /** As people read it. */
  readonly title?: string;
  readonly vendor?: string;
  readonly homepage?: string;
  /** Where its users find help. */
  readonly support?: string;
}

const line = z
  .string()
  .regex(/^[^\p{Cc}]{1,200}$/u, 'expected a line of at most 200 characters')
  .refine((text) => text.trim() === text, 'expected no space at either end');
const url = z
  .string()
  .refine(
    (text) => /^(?:https?|mailto):/.test(text) && URL.canParse(text),
    'expected an address that begins with https://',
  );
const namePattern = /^[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?$/;
/** Versions as semver has them; a "+" cannot stand in the tag of an image. */
const versionPattern = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;

const schema = z.strictObject({
  name: z
    .string()
    .regex(namePattern, 'expected a name of a-z, 0-9, "-" and "."')
    .exactOptional()
    .meta({ description: 'Name of the distribution, as files and images of a release carry it' }),
  version: z
    .string()
    .regex(versionPattern, 'expected a version such as 1.2.3')
    .exactOptional()
    .meta({ description: 'Version of the distribution, unless pack --release says another' }),
  title: line.exactOptional().meta({ description: 'Its name as people read it' }),
  vendor: line.exactOptional().meta({ description: 'Who ships it' }),
  homepage: url.exactOptional().meta({ description: 'Where it can be read about' }),
  support: url.exactOptional().meta({ description: 'Where its users find help' }),
  files: z
    .string()
    .min(1, 'expected a folder, found an empty text')
    .exactOptional()
    .meta({ description: 'Folder, relative to the manifest, whose files go into every archive of a release' }),
});

/** What a distribution has to look like. */
export const distributionSchema: z.ZodType<WrittenDistribution> = schema;

/** All keys of a distribution in their order. */
export const distributionKeys: readonly string[] = Object.keys(schema.shape);

/** The distribution of a manifest in the folder `dir`. */
export function distributionIn(dir: string, { files, ...written }: WrittenDistribution): Distribution {
  return files === undefined ? written : { ...written, files: path.resolve(dir, files) };
}

/** Is it the version of a release? */
export function isReleaseVersion(text: string): boolean {
  return versionPattern.test(text);
}

/** What a runner of this distribution knows of it, in one order; nothing where it has no name. */
export function builtDistribution(distribution: Distribution | undefined): BuiltDistribution | undefined {
  if (distribution?.name === undefined) return undefined;
  const keys = ['name', 'version', 'title', 'vendor', 'homepage', 'support'] as const;
  const entries = keys.flatMap((key) => (distribution[key] === undefined ? [] : [[key, distribution[key]]]));
  return { name: distribution.name, ...(Object.fromEntries(entries) as Omit<BuiltDistribution, 'name'>) };
}
