import { evidencePlaceholder } from './evidence-placeholder.ts';
import { embedLock } from './embedded-lock.ts';
import type { BuiltDistribution } from '../manifest/distribution.ts';
import type { EmbeddedVerdict, EmbeddedVerdicts } from '../gate/conformance-gate.ts';
import { esbuildVersion } from '../resolve/esbuild-version.ts';
import type { Installation } from '../resolve/installation.ts';
import type { ResolvedBackend, ResolvedPackage, Resolution } from '../resolve/resolved-package.ts';

/** What a built runner knows about itself: the same bytes for the same inputs, so no time, no place, no path. */
export interface BuildInfo {
  readonly schema: 1;
  /** Version of the builder. */
  readonly builder: string;
  readonly runner: string;
  /** Version of the backend API. */
  readonly api: string;
  /** Node that resolved and bundled. */
  readonly node: string;
  readonly esbuild: string;
  /** Runner and API as they were released, nothing replaced. */
  readonly official: boolean;
  /** Backends in their order, then what else was chosen or replaced by name. */
  readonly packages: readonly BuildInfoPackage[];
  /** Whose runner it is, where somebody ships it under a name. */
  readonly distribution?: BuiltDistribution;
  /** What it was locked to, packed: `update --from` reads it. */
  readonly lock: string;
  /** What is in it, of what it was made and under which licences, packed after it was bundled. */
  readonly evidence: string;
}

/** One package that was chosen by name. */
export interface BuildInfoPackage {
  readonly name: string;
  readonly version: string;
  readonly source: ResolvedPackage['source'];
  readonly spec?: string;
  readonly integrity?: string;
  /** Version of an older API that it is written for, and is served through an adapter. */
  readonly adaptedFrom?: string;
  readonly backends: readonly string[];
  /** How it did in the conformance suite, where the build was put through it. */
  readonly conformance?: EmbeddedVerdict;
}

/** The build information with what the conformance suite said. */
export function withVerdicts(info: BuildInfo, verdicts: EmbeddedVerdicts | undefined): BuildInfo {
  if (verdicts === undefined) return info;
  const packages = info.packages.map((one) => {
    const conformance = verdicts.get(one.name);
    return conformance === undefined ? one : { ...one, conformance };
  });
  return { ...info, packages };
}

/** Makes the build information of a resolution. */
export function makeBuildInfo(
  resolution: Resolution,
  installation: Installation,
  distribution?: BuiltDistribution,
): BuildInfo {
  const { core, runner, backends, replaced } = resolution;
  const others = [core, runner, ...replaced].filter(
    (one, index, all) =>
      all.findIndex((other) => other.name === one.name) === index &&
      !backends.some((backend) => backend.name === one.name),
  );
  return {
    schema: 1,
    builder: installation.version,
    runner: runner.version,
    api: core.version,
    node: process.versions.node,
    esbuild: esbuildVersion,
    official: resolution.isOfficial,
    packages: [
      ...backends.map((backend) => ({
        ...entry(backend, backend.field.backends),
        ...(backend.served === undefined ? {} : { adaptedFrom: backend.served.version }),
      })),
      ...others.map((other) => entry(other, [])),
    ],
    ...(distribution === undefined ? {} : { distribution }),
    lock: embedLock(resolution.lock),
    evidence: evidencePlaceholder,
  };
}

function entry(from: ResolvedPackage | ResolvedBackend, backends: readonly string[]): BuildInfoPackage {
  const { name, version, source, spec, integrity } = from;
  return {
    name,
    version,
    source,
    ...(spec === undefined ? {} : { spec }),
    ...(integrity === undefined ? {} : { integrity }),
    backends,
  };
}
