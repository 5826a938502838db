import { quoted, UserError } from '../user-error.ts';
import { type PackageSpec, parsePackageSpec, parseReplacement } from './package-spec.ts';

/** The flags as they were given. */
export interface ManifestFlags {
  readonly with?: readonly string[] | undefined;
  readonly without?: readonly string[] | undefined;
  readonly replace?: readonly string[] | undefined;
  readonly allowUntyped?: readonly string[] | undefined;
  readonly stubNative?: readonly string[] | undefined;
  readonly strict?: boolean | undefined;
}

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
  readonly stubNative: readonly string[];
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
    stubNative: flags.stubNative ?? [],
    ...(flags.strict === undefined ? {} : { isStrict: flags.strict }),
  };
}

/** One layer on top of another: lists are joined, what the upper one says of a name or a switch wins. */
export function stackLayers(lower: ManifestLayer, upper: ManifestLayer): ManifestLayer {
  const isStrict = upper.isStrict ?? lower.isStrict;
  return {
    backends: [...withoutThese(lower.backends, upper), ...upper.backends],
    without: [...lower.without.filter(({ name }) => !isNamed(fullName(name), upper)), ...upper.without],
    replacements: new Map([...lower.replacements, ...upper.replacements]),
    allowUntyped: [...new Set([...lower.allowUntyped, ...upper.allowUntyped])],
    stubNative: [...new Set([...lower.stubNative, ...upper.stubNative])],
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
