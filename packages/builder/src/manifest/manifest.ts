import { quoted, UserError } from '../user-error.ts';
import { type PackageSpec, parsePackageSpec, parseReplacement } from './package-spec.ts';

/** What to build, all of it: the flags of the command in their final shape. */
export interface Manifest {
  /** Default backends first, then what was asked for, in that order. */
  readonly backends: readonly PackageSpec[];
  /** Package name to the folder that stands in for it. */
  readonly replacements: ReadonlyMap<string, string>;
  /** Packages whose types are not checked. */
  readonly allowUntyped: ReadonlySet<string>;
  /** Packages whose native addons are left out. */
  readonly stubNative: ReadonlySet<string>;
  /** Warnings are errors. */
  readonly isStrict: boolean;
}

/** The flags as they were given. */
export interface ManifestFlags {
  readonly with?: readonly string[] | undefined;
  readonly without?: readonly string[] | undefined;
  readonly replace?: readonly string[] | undefined;
  readonly allowUntyped?: readonly string[] | undefined;
  readonly stubNative?: readonly string[] | undefined;
  readonly strict?: boolean | undefined;
}

/** Backends that are in every runner unless left out: short name to package. The one place to add another. */
export const defaultBackends: Readonly<Record<string, string>> = {
  host: '@forgejo-runner/backend-host',
};

/**
 * Makes the manifest from flags. Paths are relative to `cwd`; default backends come at `version`, the builder's own.
 *
 * @throws UserError `FRB201`, `FRB204`
 */
export function manifestFromFlags(flags: ManifestFlags, cwd: string, version: string): Manifest {
  const asked = (flags.with ?? []).map((text) => parsePackageSpec(text, cwd));
  const left = leftOut(flags.without ?? []);
  const names = new Set(asked.map((spec) => spec.name));
  const defaults = Object.values(defaultBackends).filter((name) => !left.has(name) && !names.has(name));
  return {
    backends: [...defaults.map((name) => parsePackageSpec(`${name}@${version}`, cwd)), ...asked],
    replacements: new Map(
      (flags.replace ?? []).map((text) => parseReplacement(text, cwd)).map((r) => [r.name, r.path]),
    ),
    allowUntyped: new Set(flags.allowUntyped ?? []),
    stubNative: new Set(flags.stubNative ?? []),
    isStrict: flags.strict ?? false,
  };
}

function leftOut(without: readonly string[]): ReadonlySet<string> {
  const known = Object.keys(defaultBackends);
  return new Set(
    without.map((name) => {
      const full = Object.hasOwn(defaultBackends, name) ? defaultBackends[name] : name;
      if (full !== undefined && Object.values(defaultBackends).includes(full)) return full;
      throw new UserError(
        'FRB204',
        `--without ${quoted(name)}: expected one of ${known.join(', ')}, found a name that is no default backend`,
      );
    }),
  );
}
