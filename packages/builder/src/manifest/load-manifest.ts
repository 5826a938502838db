import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseTargets, type Target } from '../package/target.ts';
import { quoted, throwAll, UserError } from '../user-error.ts';
import { type Distribution, distributionIn } from './distribution.ts';
import { layerFromFlags, type ManifestFlags, type ManifestLayer, stackLayers } from './layer.ts';
import { type ReadManifest, readManifest } from './read-manifest.ts';

/** What a manifest is called. */
export const manifestName = 'forgejo-runner.build.yaml';

/** A manifest file with all that it extends, and what it says about the output. */
export interface LoadedManifest {
  readonly layers: readonly ManifestLayer[];
  readonly output: OutputSettings;
  /** Whose runner it is, if a manifest says so. */
  readonly distribution?: Distribution;
}

/** What is decided by flags of `build` where there are any, else by the manifest. */
export interface OutputSettings {
  /** Absolute. */
  readonly output?: string;
  readonly isExecutable?: boolean;
  readonly targets?: readonly Target[];
  readonly isSmokeRun?: boolean;
}

/** The lock that belongs to a manifest: beside it, with the ending `.lock`. */
export function lockFileOf(manifestFile: string): string {
  return manifestFile.replace(/\.(?:ya?ml|json)$/, '') + '.lock';
}

/** The manifest of a folder, if it has one. */
export function findManifest(dir: string): string | undefined {
  const file = path.join(dir, manifestName);
  return existsSync(file) ? file : undefined;
}

/**
 * Reads a manifest and those that it extends. Relative paths in each belong to the folder of the file that they stand in.
 *
 * @throws UserError `FRB201`, `FRB204` to `FRB206`, or UserErrors with all that is wrong, each with its place.
 */
export async function loadManifest(file: string): Promise<LoadedManifest> {
  return load(path.resolve(file), []);
}

async function load(file: string, above: readonly string[]): Promise<LoadedManifest> {
  const read = readManifest(await readText(file), file);
  const { written, placeOf } = read;
  const dir = path.dirname(file);
  const bases: LoadedManifest[] = [];
  for (const [index, base] of [written.extends ?? []].flat().entries()) {
    const where = placeOf(typeof written.extends === 'string' ? ['extends'] : ['extends', index]);
    const place = path.resolve(dir, base);
    if (place === file || above.includes(place)) {
      throw new UserError('FRB205', `extends: ${quoted(base)} extends itself`, { where });
    }
    bases.push(
      await load(place, [...above, file]).catch((error: unknown) => Promise.reject(atExtends(error, base, where))),
    );
  }
  const layer = await layerOf(read, dir);
  const own = outputOf(read, dir);
  const named = written.distribution === undefined ? [] : [distributionIn(dir, written.distribution)];
  const distributions = [...bases.flatMap((base) => base.distribution ?? []), ...named];
  return {
    layers: [...bases.flatMap((base) => base.layers), layer],
    output: Object.assign({}, ...bases.map((base) => base.output), own) as OutputSettings,
    ...(distributions.length === 0 ? {} : { distribution: Object.assign({}, ...distributions) as Distribution }),
  };
}

/** A base that is not there is a mistake of the line that names it. */
function atExtends(error: unknown, base: string, where: string): unknown {
  const isMissing = error instanceof UserError && error.code === 'FRB206' && error.where === undefined;
  return isMissing
    ? new UserError('FRB206', `extends: ${quoted(base)}: ${error.message}`, { where, cause: error })
    : error;
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UserError('FRB206', `expected a manifest at ${file}, but it cannot be read (${code ?? 'unknown'})`, {
      cause,
    });
  }
}

function outputOf({ written }: ReadManifest, dir: string): OutputSettings {
  return {
    ...(written.output === undefined ? {} : { output: path.resolve(dir, written.output) }),
    ...(written.sea === undefined ? {} : { isExecutable: written.sea }),
    ...(written.target === undefined ? {} : { targets: parseTargets(written.target) }),
    ...(written['smoke-run'] === undefined ? {} : { isSmokeRun: written['smoke-run'] }),
  };
}

/** Reads every value on its own, so that each mistake has its place and none hides another. */
async function layerOf({ written, placeOf }: ReadManifest, dir: string): Promise<ManifestLayer> {
  const errors: UserError[] = [];
  let whole: ManifestLayer = layerFromFlags({}, dir);
  const add = (at: readonly PropertyKey[], flags: ManifestFlags): void => {
    const where = placeOf(at);
    try {
      const layer = layerFromFlags(flags, dir);
      whole = join(whole, { ...layer, without: layer.without.map((one) => ({ ...one, where })) });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      errors.push(
        new UserError(error.code, error.message.replace(/^--/, ''), { where, next: error.next, cause: error }),
      );
    }
  };
  for (const [index, text] of (written.with ?? []).entries()) add(['with', index], { with: [text] });
  for (const [name, folder] of Object.entries(written.replace ?? {})) {
    add(['replace', name], { replace: [`${name}=${folder}`] });
  }
  for (const [index, name] of (written.without ?? []).entries()) add(['without', index], { without: [name] });
  for (const key of ['override', 'native', 'budget'] as const) {
    for (const [name, value] of Object.entries(written[key] ?? {})) add([key, name], { [key]: [`${name}=${value}`] });
  }
  const age = written['min-release-age'];
  if (age !== undefined) add(['min-release-age'], { minReleaseAge: String(age) });
  add([], {
    allowUntyped: written['allow-untyped'],
    allowFresh: written['allow-fresh'],
    allowScripts: written['allow-scripts'],
    denyLicense: written['deny-license'],
    strict: written.strict,
  });
  throwAll(errors);
  return whole;
}

/** Parts of one file stand beside each other: none takes anything out of another. */
function join(one: ManifestLayer, other: ManifestLayer): ManifestLayer {
  return {
    ...stackLayers({ ...one, backends: [], without: [] }, { ...other, backends: [], without: [] }),
    backends: [...one.backends, ...other.backends],
    without: [...one.without, ...other.without],
  };
}
