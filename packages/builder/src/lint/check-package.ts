import path from 'node:path';
import { readPackageJson } from '../resolve/package-json.ts';
import type { EventSink } from '../events.ts';
import { findInstallation } from '../resolve/installation.ts';
import { openNpm } from '../resolve/npm.ts';
import { inCache } from '../store/disk-problem.ts';
import { defaultCacheDir } from '../store/store.ts';
import { writeTextFile } from '../store/write-output.ts';
import { type AuthorPackage, readAuthorPackage } from './author-package.ts';
import { type Trial, type TrialLimits, tryBuild } from './build-rules.ts';
import { checkDependencies } from './dependency-rules.ts';
import { checkFiles, checkSecrets, type PublishedFiles, readPublished } from './file-rules.ts';
import type { EditedPackage, Finding, Remark } from './finding.ts';
import { jsonLike, placeInJson } from './json-file.ts';
import { checkMetadata } from './metadata-rules.ts';
import { checkExports } from './publish-rules.ts';

/** What to check. */
export interface PackageCheckOptions {
  /** Folder of the package. */
  readonly dir: string;
  /** Writes what can be mended into its package.json, and checks again. */
  readonly isFixing?: boolean;
  readonly limits?: Partial<TrialLimits>;
  /** Folder whose `.npmrc` counts. Default: that of the package. */
  readonly cwd?: string;
  readonly cacheDir?: string;
  readonly onEvent?: EventSink;
  readonly signal?: AbortSignal;
}

/** What is to be said of a package. */
export interface PackageCheckReport {
  readonly name: string;
  readonly version: string;
  /** Errors first. */
  readonly findings: readonly Finding[];
  /** What was mended, as it was found. */
  readonly mended: readonly Finding[];
  /** What it adds to a runner, with its dependencies; undefined when no runner could be built. */
  readonly bundledBytes: number | undefined;
  readonly importMs: number | undefined;
  /** What is downloaded of it; undefined when npm cannot pack it. */
  readonly publishedBytes: number | undefined;
}

const defaultLimits: TrialLimits = { sizeBytes: 1e6, importMs: 100 };

/**
 * Checks a backend package before it is published: what package.json says, the files that would be published, the
 * types, and a trial build that is started. With `isFixing` it mends in package.json what can be mended there.
 *
 * @throws UserError `FRB202` when no package lies in the folder; the reason of `signal` when it aborts.
 */
export async function checkPackage(options: PackageCheckOptions): Promise<PackageCheckReport> {
  const cacheDir = options.cacheDir ?? defaultCacheDir(process.env);
  return inCache(cacheDir, async () => {
    const first = await look(options, cacheDir);
    if (options.isFixing !== true) return report(first, []);
    const mended = first.remarks.filter(({ fix }) => fix !== undefined);
    if (mended.length === 0) return report(first, []);
    const edited = JSON.parse(first.subject.text) as EditedPackage;
    for (const { fix } of mended) fix?.(edited);
    await writeTextFile(first.subject.file, jsonLike(first.subject.text, edited));
    return report(
      await look(options, cacheDir),
      mended.map((remark) => placed(remark, first.subject)),
    );
  });
}

interface Look extends Trial {
  readonly subject: AuthorPackage;
  readonly published: PublishedFiles | undefined;
}

async function look(options: PackageCheckOptions, cacheDir: string): Promise<Look> {
  const signal = options.signal ?? new AbortController().signal;
  const installation = findInstallation();
  const subject = await readAuthorPackage(path.resolve(options.dir));
  const published = await packed(subject, signal);
  const remarks: Remark[] = [
    ...checkMetadata(subject, await nodeOfRunners(installation.dir)),
    ...checkDependencies(subject, installation.version),
    ...(await checkFiles(subject)),
    ...checkSecrets(published),
    ...(published === undefined ? [] : await checkExports(subject, published)),
  ];
  // Without a field or a file there is nothing to build, and its error would be the same again.
  const isBuildable = !remarks.some(({ rule, severity }) => severity === 'error' && unbuildable.has(rule));
  const trial: Trial = isBuildable
    ? await tryBuild(subject, {
        cwd: options.cwd ?? subject.dir,
        version: installation.version,
        cacheDir,
        limits: { ...defaultLimits, ...options.limits },
        onEvent: options.onEvent ?? (() => undefined),
        signal,
      })
    : { remarks: [] };
  return { ...trial, subject, published, remarks: [...remarks, ...trial.remarks] };
}

const unbuildable: ReadonlySet<string> = new Set(['field', 'exports', 'own-versions']);

async function packed(subject: AuthorPackage, signal: AbortSignal): Promise<PublishedFiles | undefined> {
  const npm = openNpm(subject.dir, process.env);
  return readPublished(await npm.run(['pack', '--dry-run', '--ignore-scripts'], subject.dir, signal));
}

/** The version of Node that executables are made with. */
async function nodeOfRunners(builderDir: string): Promise<string> {
  const { optionalDependencies = {} } = await readPackageJson(builderDir);
  return Object.values(optionalDependencies)[0] ?? process.versions.node;
}

function report(
  { subject, published, remarks, bundledBytes, importMs }: Look,
  mended: readonly Finding[],
): PackageCheckReport {
  const findings = remarks.map((remark) => placed(remark, subject));
  return {
    name: subject.json.name,
    version: subject.json.version,
    findings: findings.toSorted((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning')),
    mended,
    bundledBytes,
    importMs,
    publishedBytes: published?.bytes,
  };
}

function placed({ fix, at, where, ...remark }: Remark, { text, file, dir }: AuthorPackage): Finding {
  const place = where ?? (at === undefined ? dir : placeInJson(text, file, at));
  return { ...remark, where: place, isFixable: fix !== undefined };
}
