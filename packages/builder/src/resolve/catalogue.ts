import { z } from 'zod';
import { translateNpmFailure } from './npm-errors.ts';
import type { Npm } from './npm.ts';
import { readPackageField } from './package-field.ts';
import { type ViewedPackage, viewPackage } from './registry-view.ts';

/** A backend package as the registry's catalogue shows it. */
export interface CatalogueEntry {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  /** Ids of its backends; none where its field could not be read. */
  readonly backends: readonly string[];
  /** Major version of the API that it is written for. */
  readonly api: number | undefined;
}

/** What can be known of a package before it is installed. */
export interface PackageSummary extends CatalogueEntry {
  readonly license: string | undefined;
  readonly homepage: string | undefined;
  readonly deprecated: string | undefined;
  readonly published: string | undefined;
  readonly peerDependencies: Readonly<Record<string, string>>;
  /** The whole field, as its author wrote it. */
  readonly field: unknown;
  /** Why it cannot be in a runner of this builder, in words. */
  readonly problem: string | undefined;
}

const keyword = 'forgejo-runner-backend';
const searchSchema = z.array(
  z.looseObject({
    name: z.string(),
    version: z.string().optional(),
    description: z.string().nullish(),
    keywords: z.array(z.string()).nullish(),
  }),
);
const limit = 100;

/**
 * Backend packages that the registry's search finds for some words, with what each declares. The keyword alone proves
 * nothing: a package without the field is left out.
 *
 * @throws UserError `FRB307` to `FRB310`
 */
export async function findBackends(
  words: readonly string[],
  npm: Npm,
  signal: AbortSignal,
): Promise<readonly CatalogueEntry[]> {
  const found = await search([`keywords:${keyword}`, ...words], npm, signal);
  const all = found.length > 0 ? found : await searchNames(words, npm, signal);
  const entries = await Promise.all(all.map((name) => describe(name, npm, signal)));
  return entries
    .filter((entry) => entry !== undefined)
    .filter((entry) => words.every((word) => textOf(entry).includes(word.toLowerCase())))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Many private registries search nothing but names. Most backends have the word in theirs; the field tells which are. */
async function searchNames(words: readonly string[], npm: Npm, signal: AbortSignal): Promise<readonly string[]> {
  const answers = await Promise.all(['backend', ...words].map((word) => search([word], npm, signal)));
  return [...new Set(answers.flat())].slice(0, limit);
}

function textOf(entry: CatalogueEntry): string {
  return `${entry.name} ${entry.description} ${entry.backends.join(' ')}`.toLowerCase();
}

async function search(terms: readonly string[], npm: Npm, signal: AbortSignal): Promise<readonly string[]> {
  try {
    const answer = await npm.run(['search', `--searchlimit=${limit}`, '--', ...terms], npm.cwd, signal);
    return searchSchema.parse(answer ?? []).map((entry) => entry.name);
  } catch (error) {
    signal.throwIfAborted();
    throw translateNpmFailure(error, 'the catalogue of backends');
  }
}

async function describe(name: string, npm: Npm, signal: AbortSignal): Promise<CatalogueEntry | undefined> {
  try {
    const viewed = await viewPackage(name, npm, signal);
    const field = readPackageField(viewed.forgejoRunner, name);
    const { version, description = '' } = viewed;
    return { name, version, description, backends: field.backends, api: field.api };
  } catch {
    // Not a backend after all, or gone since the index was made.
    signal.throwIfAborted();
    return undefined;
  }
}

/** All that is known about a package before it is installed. @throws UserError `FRB304`, `FRB306`, `FRB307`, `FRB310` */
export async function describeRemote(
  spec: string,
  npm: Npm,
  judge: (viewed: ViewedPackage) => Promise<string | undefined>,
  signal: AbortSignal,
): Promise<PackageSummary> {
  const viewed = await viewPackage(spec, npm, signal);
  const field = viewed.forgejoRunner as { readonly api?: unknown; readonly backends?: unknown } | undefined;
  return {
    name: viewed.name,
    version: viewed.version,
    description: viewed.description ?? '',
    backends: Array.isArray(field?.backends) ? field.backends.map(String) : [],
    api: typeof field?.api === 'number' ? field.api : undefined,
    license: viewed.license,
    homepage: viewed.homepage,
    deprecated: viewed.deprecated === undefined || viewed.deprecated === false ? undefined : String(viewed.deprecated),
    published: viewed.time?.[viewed.version],
    peerDependencies: viewed.peerDependencies ?? {},
    field: viewed.forgejoRunner,
    problem: await judge(viewed),
  };
}
