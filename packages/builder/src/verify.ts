import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build, type BuildOptions } from './build.ts';
import { compareInputs, programHash, requestOf } from './evidence/compare.ts';
import { readEmbeddedLock } from './evidence/embedded-lock.ts';
import { type Evidence, readEvidence } from './evidence/evidence.ts';
import { distributionSchema } from './manifest/distribution.ts';
import type { ManifestFlags } from './manifest/layer.ts';
import { manifestFromFlags } from './manifest/manifest.ts';
import { type WrittenManifest, manifestSchema } from './manifest/manifest-schema.ts';
import { readTarget } from './package/read-target.ts';
import { hostTarget } from './package/target.ts';
import { findInstallation } from './resolve/installation.ts';
import { type BuildLock, lockText } from './resolve/lock.ts';
import { inCache } from './store/disk-problem.ts';
import { defaultCacheDir } from './store/store.ts';
import { hashFile } from './store/sums.ts';
import { openTempFolder } from './store/temp-folder.ts';
import { UserError } from './user-error.ts';

/** What to verify. */
export interface VerifyOptions
  extends Pick<BuildOptions, 'cwd' | 'env' | 'cacheDir' | 'onEvent' | 'signal' | 'isOffline'> {
  /** A runner that was built, for whatever platform. Nothing of it is run. */
  readonly artefact: string;
  /** Where folders lie that were in it: `replace` and `with` with paths. */
  readonly flags?: Pick<ManifestFlags, 'with' | 'replace'>;
}

/** Whether a runner is what its own lock and request make. */
export interface VerifyReport {
  /** In hexadecimal digits. */
  readonly sha256: string;
  /** Of what was built here; undefined when nothing was built, because the inputs already differ. */
  readonly rebuiltSha256: string | undefined;
  readonly isSame: boolean;
  /** What differs, the first input first. */
  readonly differences: readonly string[];
}

/**
 * Builds a runner again from the lock and the request that it carries, and compares every byte.
 *
 * @throws UserError `FRB317` when it carries none; whatever {@link build} throws.
 */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  const cacheDir = options.cacheDir ?? defaultCacheDir(options.env ?? process.env);
  return inCache(cacheDir, async () => {
    const { artefact } = options;
    const [lock, evidence, sha256] = [
      await readEmbeddedLock(artefact),
      await readEvidence(artefact),
      await hashFile(artefact),
    ];
    const { version } = findInstallation();
    if (lock.tools.builder !== version) {
      const difference = `builder: it was made with ${lock.tools.builder}, this is ${version}`;
      return { sha256, rebuiltSha256: undefined, isSame: false, differences: [difference] };
    }
    await using work = await openTempFolder(cacheDir);
    const rebuilt = path.join(work.dir, 'rebuilt');
    try {
      const { artefacts } = await rebuild(options, { lock, evidence, rebuilt, workDir: work.dir });
      const [made] = artefacts;
      if (made?.sha256 === sha256) return { sha256, rebuiltSha256: sha256, isSame: true, differences: [] };
      const differences = await explain(artefact, evidence, made?.file ?? rebuilt);
      return { sha256, rebuiltSha256: made?.sha256, isSame: false, differences };
    } catch (error) {
      // What the lock says cannot be had here: that is the first difference.
      if (!(error instanceof UserError && error.code === 'FRB314')) throw error;
      return { sha256, rebuiltSha256: undefined, isSame: false, differences: error.message.split('; ') };
    }
  });
}

async function rebuild(
  options: VerifyOptions,
  from: { readonly lock: BuildLock; readonly evidence: Evidence; readonly rebuilt: string; readonly workDir: string },
): ReturnType<typeof build> {
  const { artefact, flags = {}, ...rest } = options;
  const { lock, evidence, rebuilt, workDir } = from;
  const { format, manifest } = requestOf(evidence);
  const written = manifestSchema.parse(manifest);
  const lockFile = path.join(workDir, 'verify.lock');
  await writeFile(lockFile, lockText(lock));
  const target = await readTarget(artefact);
  const distribution = written.distribution === undefined ? undefined : distributionSchema.parse(written.distribution);
  return build({
    ...rest,
    manifest: manifestFromFlags(flagsOf(written, flags, lock), options.cwd, lock.tools.builder),
    lockFile,
    isFrozen: true,
    isLockKept: true,
    isForced: true,
    // It is compared, not started.
    isSmokeRun: false,
    output: rebuilt,
    isExecutable: format === 'executable',
    ...(target === undefined ? {} : { targets: [target] }),
    ...(distribution?.name === undefined ? {} : { distribution: { ...distribution, name: distribution.name } }),
  });
}

/** As it was asked for, with the folders of this machine. Types were checked when it was built. */
function flagsOf(
  written: WrittenManifest,
  { with: here = [], replace = [] }: NonNullable<VerifyOptions['flags']>,
  lock: BuildLock,
): ManifestFlags {
  const placed = (request: string): string => here.find((one) => one.startsWith(`${request}=`)) ?? request;
  return {
    with: (written.with ?? []).map(placed),
    without: written.without,
    replace,
    override: pairsOf(written.override),
    native: pairsOf(written.native),
    allowScripts: written['allow-scripts'],
    allowUntyped: lock.backends,
  };
}

function pairsOf(values: Readonly<Record<string, string>> = {}): readonly string[] {
  return Object.entries(values).map(([name, value]) => `${name}=${value}`);
}

async function explain(artefact: string, before: Evidence, rebuilt: string): Promise<readonly string[]> {
  const now = await readEvidence(rebuilt);
  const inputs = compareInputs(before, now);
  if (inputs.length > 0) return inputs;
  if (programHash(before) !== programHash(now))
    return ['the program: the same inputs were bundled into something else'];
  const target = await readTarget(artefact);
  const elsewhere =
    target === undefined || target === hostTarget()
      ? ''
      : '; compiled code comes along where it is built on its own platform';
  return [
    `what is around the program: the file was changed after it was built, or built on another platform${elsewhere}`,
  ];
}
