import {
  type ManifestLayer,
  defaultBackends,
  fullName,
  layerFromFlags,
  type ManifestFlags,
  type NativePolicy,
  stackLayers,
} from './layer.ts';
import { type PackageSpec, parsePackageSpec } from './package-spec.ts';

/** What to build, all of it: flags and manifest files in their final shape. */
export interface Manifest {
  /** Default backends first, then what was asked for, in that order. */
  readonly backends: readonly PackageSpec[];
  /** Package name to the folder that stands in for it. */
  readonly replacements: ReadonlyMap<string, string>;
  /** Packages whose types are not checked. */
  readonly allowUntyped: ReadonlySet<string>;
  /** Package name to the version that is used wherever it is wanted. */
  readonly overrides: ReadonlyMap<string, string>;
  /** Package to what becomes of its native addons. */
  readonly native: ReadonlyMap<string, NativePolicy>;
  /** Versions younger than this are not chosen. Undefined: what npm is configured for, else three days. */
  readonly minReleaseAgeMs: number | undefined;
  /** Packages that may be younger. */
  readonly allowFresh: ReadonlySet<string>;
  /** Packages whose install scripts run. */
  readonly allowScripts: ReadonlySet<string>;
  /** Licences that no package in the result may have. */
  readonly denyLicenses: readonly string[];
  /** `size` and package names to bytes, `start` and `import` to milliseconds. */
  readonly budgets: ReadonlyMap<string, number>;
  /** Warnings are errors. */
  readonly isStrict: boolean;
}

/**
 * Makes the manifest from flags. Paths are relative to `cwd`; default backends come at `version`, the builder's own.
 *
 * @throws UserError `FRB201`, `FRB204`
 */
export function manifestFromFlags(flags: ManifestFlags, cwd: string, version: string): Manifest {
  return manifestFromLayers([layerFromFlags(flags, cwd)], version);
}

/** Makes the manifest from layers, the lowest first. @throws UserError `FRB204` */
export function manifestFromLayers(layers: readonly ManifestLayer[], version: string): Manifest {
  let all = layerFromFlags({}, '/');
  for (const layer of layers) all = stackLayers(all, layer);
  const left = new Set(all.without.map(({ name }) => fullName(name)));
  const names = new Set(all.backends.map((spec) => spec.name));
  const defaults = Object.values(defaultBackends).filter((name) => !left.has(name) && !names.has(name));
  return {
    // An exact version: the folder is looked at for no other form.
    backends: [...defaults.map((name) => parsePackageSpec(`${name}@${version}`, '/')), ...all.backends],
    replacements: all.replacements,
    allowUntyped: new Set(all.allowUntyped),
    overrides: all.overrides,
    native: all.native,
    minReleaseAgeMs: all.minReleaseAgeMs,
    allowFresh: new Set(all.allowFresh),
    allowScripts: new Set(all.allowScripts),
    denyLicenses: all.denyLicenses,
    budgets: all.budgets,
    isStrict: all.isStrict ?? false,
  };
}
