export { build, type BuildOptions, type BuildReport, type BuiltArtefact } from './build.ts';
export { checkBackends, type CheckInput, type CheckReport } from './check/check-types.ts';
export type { BuildInfo, BuildInfoPackage } from './evidence/build-info.ts';
export { type ErrorCode, type ErrorCodeEntry, errorCodes } from './error-codes.ts';
export type { BuildEvent, EventSink, StepId } from './events.ts';
export type { Execution } from './gate/how-to-execute.ts';
export { hostTarget, type Target, targets } from './package/target.ts';
export type { ListedBackend, SmokeReport } from './gate/smoke-run.ts';
export {
  createDistribution,
  type NewDistribution,
  type NewDistributionOptions,
} from './create/create-distribution.ts';
export { createBackend, type NewBackend, type NewBackendOptions } from './create/create-backend.ts';
export { checkPackage, type PackageCheckOptions, type PackageCheckReport } from './lint/check-package.ts';
export type { Finding, RuleId, Severity } from './lint/finding.ts';
export { defaultBackends, type ManifestFlags } from './manifest/layer.ts';
export type { BuiltDistribution, Distribution } from './manifest/distribution.ts';
export { type LoadedManifest, loadManifest, type OutputSettings } from './manifest/load-manifest.ts';
export { type Manifest, manifestFromFlags } from './manifest/manifest.ts';
export { manifestJsonSchema, type WrittenManifest } from './manifest/manifest-schema.ts';
export { openProject, type Project, type ProjectOptions } from './manifest/project.ts';
export { suggestManifest, type SuggestedManifest } from './manifest/suggest-manifest.ts';
export { checksums, type MadeFile } from './evidence/write-evidence.ts';
export { type Evidence, readEvidence } from './evidence/evidence.ts';
export { verify, type VerifyOptions, type VerifyReport } from './verify.ts';
export { type FetchOptions, type FetchReport, fetchPackages } from './fetch.ts';
export { readEmbeddedLock } from './evidence/embedded-lock.ts';
export { type BuildLock, type LockedBase, type LockedRequest, lockText, readLockFile } from './resolve/lock.ts';
export { findOutdated, type Outdated, whyInstalled } from './resolve/outdated.ts';
export type { LockOptions } from './resolve/resolve-project.ts';
export {
  type CacheEntry,
  type CacheReport,
  listCache,
  pruneCache,
  type PruneReport,
  verifyCache,
} from './store/cache.ts';
export { type CatalogueEntry, findBackends } from './resolve/catalogue.ts';
export { packRelease, type PackOptions, type PackReport } from './release/pack-release.ts';
export type { ReleasedFile } from './release/release-folder.ts';
export { type Npm, openNpm } from './resolve/npm.ts';
export { type PackageSpec, parsePackageSpec } from './manifest/package-spec.ts';
export type { RunOptions } from './run/run-options.ts';
export { runRunner } from './run/run-runner.ts';
export type { SuiteOptions, TestedCheck, TestVerdict } from './gate/suite-run.ts';
export { testBackend, type TestOptions } from './test-backend.ts';
export { UserError, UserErrors, type UserErrorInit } from './user-error.ts';
