/**
 * What a built runner knows about itself. The builder writes it into the generated entry; a runner that was put
 * together by hand has none. No paths of the build machine, no times.
 */
export interface BuildInfo {
  readonly schema: 1;
  /** Version of the builder. */
  readonly builder: string;
  /** Version of the runner. */
  readonly runner: string;
  /** Version of the backend contract. */
  readonly api: string;
  /** Node that the bundle was made for. */
  readonly node: string;
  readonly esbuild: string;
  /** False where a package of ours was replaced. */
  readonly official: boolean;
  readonly packages: readonly BuiltPackage[];
  /** Whose runner it is, where somebody ships it under a name. */
  readonly distribution?: BuiltDistribution;
  /** The lock of the build as the builder packs it: `forgejo-runner-lock-1:`, raw deflate in base 64, `;`. */
  readonly lock?: string;
  /** SBOM, provenance and licences, packed in the same way: `forgejo-runner-evidence-1:`. */
  readonly evidence?: string;
}

/** The name that somebody ships a runner under. */
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

/** Its name and version in a line. */
export function distributionTitle({ name, title = name, version }: BuiltDistribution): string {
  return version === undefined ? title : `${title} ${version}`;
}

/** A package of a built runner. */
export interface BuiltPackage {
  readonly name: string;
  readonly version: string;
  readonly source: 'registry' | 'path' | 'tarball' | 'git';
  /** What was asked for, where it was more than the name. */
  readonly spec?: string;
  /** Subresource integrity of the packed package, where it came as one. */
  readonly integrity?: string;
  readonly backends: readonly string[];
  /** Version of an older contract that it is written for, and is served through an adapter. */
  readonly adaptedFrom?: string;
  readonly conformance?: BuiltVerdict;
}

/** How a backend did in the conformance suite when the runner was built. */
export interface BuiltVerdict {
  readonly suite: string;
  readonly lane: string;
  readonly label?: string;
  readonly platform: string;
  readonly passed: number;
  readonly failed: number;
  /** Number of a check to why it was skipped. */
  readonly skipped: Readonly<Record<string, string>>;
}
