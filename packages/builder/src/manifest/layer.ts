import { quoted, UserError } from '../user-error.ts';
import { isPackageName, type PackageSpec, parsePackageSpec, parseReplacement } from './package-spec.ts';
import { parseSize, parseTime } from './units.ts';

/** The flags as they were given. */
export interface ManifestFlags {
  readonly with?: readonly string[] | undefined;
  readonly without?: readonly string[] | undefined;
  readonly replace?: readonly string[] | undefined;
  readonly allowUntyped?: readonly string[] | undefined;
  readonly override?: readonly string[] | undefined;
  readonly native?: readonly string[] | undefined;
  readonly minReleaseAge?: string | undefined;
  readonly allowFresh?: readonly string[] | undefined;
  readonly allowScripts?: readonly string[] | undefined;
  readonly denyLicense?: readonly string[] | undefined;
  readonly budget?: readonly string[] | undefined;
  readonly strict?: boolean | undefined;
}

/** What becomes of a package's native addons. */
export type NativePolicy = 'stub' | 'embed' | 'fail';

/** A default or inherited backend that is to be left out. */
export interface LeftOut {
  readonly name: string;
  readonly where?: string;
}

/** What one source says: one manifest file, or the flags. Paths in it are absolute. */
export interface ManifestLayer {
  readonly backends: readonly PackageSpec[];
  readonly without: readonly LeftOut[];
  readonly replacements: ReadonlyMap<string, string>;
  readonly allowUntyped: readonly string[];
  readonly overrides: ReadonlyMap<string, string>;
  readonly native: ReadonlyMap<string, NativePolicy>;
  readonly minReleaseAgeMs?: number;
  readonly allowFresh: readonly string[];
  readonly allowScripts: readonly string[];
  readonly denyLicenses: readonly string[];
  readonly budgets: ReadonlyMap<string, number>;
  readonly isStrict?: boolean;
}

/** Backends that are in every runner unless left out: short name to package. The one place to add another. */
export const defaultBackends: Readonly<Record<string, string>> = {
  host: '@forgejo-runner/backend-host',
};

/** What flags say. Paths are relative to `cwd`. @throws UserError `FRB201` */
export function layerFromFlags(flags: ManifestFlags, cwd: string): ManifestLayer {
  return {
    backends: (flags.with ?? []).map((text) => parsePackageSpec(text, cwd)),
    without: (flags.without ?? []).map((name) => ({ name })),
    replacements: new Map(
      (flags.replace ?? []).map((text) => parseReplacement(text, cwd)).map((one) => [one.name, one.path]),
    ),
    allowUntyped: flags.allowUntyped ?? [],
    overrides: new Map((flags.override ?? []).map((text) => pair(text, '--override', 'NAME=VERSION'))),
    native: new Map((flags.native ?? []).map(parseNative)),
    ...(flags.minReleaseAge === undefined
      ? {}
      : { minReleaseAgeMs: parseTime(flags.minReleaseAge, '--min-release-age') }),
    allowFresh: flags.allowFresh ?? [],
    allowScripts: flags.allowScripts ?? [],
    denyLicenses: flags.denyLicense ?? [],
    budgets: new Map((flags.budget ?? []).map(parseBudget)),
    ...(flags.strict === undefined ? {} : { isStrict: flags.strict }),
  };
}

function pair(text: string, flag: string, expected: string): [string, string] {
  const at = text.indexOf('=');
  const [name, value] = [text.slice(0, at), text.slice(at + 1)];
  if (at > 0 && value !== '' && isPackageName(name)) return [name, value];
  throw new UserError('FRB209', `${flag} ${quoted(text)}: expected ${expected}`);
}

function parseNative(text: string): [string, NativePolicy] {
  const [name, policy] = pair(text, '--native', 'NAME=stub, NAME=embed or NAME=fail');
  if (policy === 'stub' || policy === 'embed' || policy === 'fail') return [name, policy];
  throw new UserError('FRB209', `--native ${quoted(text)}: expected stub, embed or fail, found ${quoted(policy)}`);
}

function parseBudget(text: string): [string, number] {
  const [name, limit] = pair(text, '--budget', 'size=SIZE, start=TIME, import=TIME or NAME=SIZE');
  const isTime = name === 'start' || name === 'import';
  return [name, isTime ? parseTime(limit, `--budget ${name}`) : parseSize(limit, `--budget ${name}`)];
}

/** One layer on top of another: lists are joined, what the upper one says of a name or a switch wins. */
export function stackLayers(lower: ManifestLayer, upper: ManifestLayer): ManifestLayer {
  const isStrict = upper.isStrict ?? lower.isStrict;
  const minReleaseAgeMs = upper.minReleaseAgeMs ?? lower.minReleaseAgeMs;
  return {
    backends: [...withoutThese(lower.backends, upper), ...upper.backends],
    without: [...lower.without.filter(({ name }) => !isNamed(fullName(name), upper)), ...upper.without],
    replacements: new Map([...lower.replacements, ...upper.replacements]),
    allowUntyped: [...new Set([...lower.allowUntyped, ...upper.allowUntyped])],
    overrides: new Map([...lower.overrides, ...upper.overrides]),
    native: new Map([...lower.native, ...upper.native]),
    ...(minReleaseAgeMs === undefined ? {} : { minReleaseAgeMs }),
    allowFresh: [...new Set([...lower.allowFresh, ...upper.allowFresh])],
    allowScripts: [...new Set([...lower.allowScripts, ...upper.allowScripts])],
    denyLicenses: [...new Set([...lower.denyLicenses, ...upper.denyLicenses])],
    budgets: new Map([...lower.budgets, ...upper.budgets]),
    ...(isStrict === undefined ? {} : { isStrict }),
  };
}

/** The package behind the short name of a default backend; any other name as it is. */
export function fullName(name: string): string {
  return (Object.hasOwn(defaultBackends, name) ? defaultBackends[name] : undefined) ?? name;
}

function withoutThese(backends: readonly PackageSpec[], upper: ManifestLayer): readonly PackageSpec[] {
  for (const { name, where } of upper.without) {
    const isKnown = Object.values(defaultBackends).includes(fullName(name));
    if (!isKnown && !backends.some((spec) => spec.name === name)) throw nothingToLeaveOut(name, backends, where);
  }
  const left = new Set(upper.without.map(({ name }) => fullName(name)));
  return backends.filter(({ name }) => name === undefined || (!left.has(name) && !isNamed(name, upper)));
}

function isNamed(name: string, layer: ManifestLayer): boolean {
  return layer.backends.some((spec) => spec.name === name);
}

function nothingToLeaveOut(name: string, backends: readonly PackageSpec[], where: string | undefined): UserError {
  const known = [...Object.keys(defaultBackends), ...backends.flatMap((spec) => spec.name ?? [])];
  return new UserError(
    'FRB204',
    `--without ${quoted(name)}: expected one of ${known.join(', ')}, found a name that is no default backend`,
    where === undefined ? {} : { where },
  );
}
