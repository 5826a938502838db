import type { WrittenManifest } from '../manifest/manifest-schema.ts';
import { nodeBases } from '../package/node-bases.ts';
import type { BuildInfo } from './build-info.ts';
import { type PackageOrigin, purlOf } from './package-origins.ts';

/** Something that was made: its name and its checksum. */
export interface Subject {
  readonly name: string;
  readonly sha256: string;
}

/** What was asked for, as far as others may read it. */
export interface PublicRequest {
  readonly format: 'script' | 'executable';
  /** The manifest without paths and budgets: what decides over the bytes. */
  readonly manifest: WrittenManifest;
  /** Packages that folders stood in for. */
  readonly replaced?: readonly string[];
}

/**
 * Who made it from what: an in-toto statement with a SLSA provenance, https://slsa.dev/spec/v1.0/provenance. Unsigned; that is
 * for those who ship it, with keys that the builder never sees. No time and no place, so that it is the same in every build.
 */
export function makeProvenance(
  subjects: readonly Subject[],
  request: PublicRequest,
  origins: readonly PackageOrigin[],
  buildInfo: BuildInfo,
): object {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: subjects.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'https://www.npmjs.com/package/@forgejo-runner/builder#provenance',
        externalParameters: request,
        internalParameters: { node: buildInfo.node, esbuild: buildInfo.esbuild, api: buildInfo.api },
        resolvedDependencies: [
          ...origins.map(materialOf),
          ...(request.format === 'executable' ? Object.values(nodeBases).map(baseMaterial) : []),
        ],
      },
      runDetails: {
        builder: {
          id: purlOf('@forgejo-runner/builder', buildInfo.builder),
          version: { 'forgejo-runner-build': buildInfo.builder },
        },
      },
    },
  };
}

function materialOf({ purl, integrity, resolved, inputsHash }: PackageOrigin): object {
  const sha512 = /^sha512-(\S+)/.exec(integrity ?? '')?.[1];
  // Without a checksum of the package, one of what was taken out of it.
  const digest = sha512 === undefined ? { 'inputs-sha256': inputsHash } : { sha512: hexOf(sha512) };
  return { uri: purl, digest, ...(resolved === undefined ? {} : { downloadLocation: resolved }) };
}

function baseMaterial(base: (typeof nodeBases)[keyof typeof nodeBases]): object {
  const digest = { sha512: hexOf(base.integrity.slice('sha512-'.length)) };
  return { uri: purlOf(base.package, base.version), digest, name: `Node ${base.version}` };
}

function hexOf(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex');
}
