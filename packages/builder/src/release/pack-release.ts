import { constants } from 'node:fs';
import { copyFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build, type BuildOptions, type BuildReport } from '../build.ts';
import { builtDistribution, type Distribution, isReleaseVersion } from '../manifest/distribution.ts';
import type { Execution } from '../gate/how-to-execute.ts';
import type { Target } from '../package/target.ts';
import { defaultCacheDir } from '../store/store.ts';
import { openTempFolder } from '../store/temp-folder.ts';
import { quoted, UserError } from '../user-error.ts';
import { writeArchive } from './archive.ts';
import { askedRunner } from './ask-runner.ts';
import { archiveEntries, installedFiles, ownFiles } from './installed-files.ts';
import { type ReleasedFile, writeReleaseFolder } from './release-folder.ts';

/** What to release, and where to. */
export interface PackOptions extends Omit<BuildOptions, 'output' | 'isExecutable' | 'distribution' | 'evidenceDir'> {
  /** Whose runner it is; it needs a name. */
  readonly distribution: Distribution | undefined;
  /** Version of the release. Default: that of the distribution. */
  readonly version?: string;
  /** Folder of the release. An earlier release in it is replaced. */
  readonly output: string;
}

/** An executable in its archive. */
export interface PackedExecutable {
  /** Of the archive. */
  readonly name: string;
  readonly target: Target;
  readonly execution: Execution;
}

/** What was released. */
export interface PackReport {
  readonly output: string;
  /** `NAME-VERSION`, as all files begin. */
  readonly title: string;
  readonly files: readonly ReleasedFile[];
  /** The archives among them, with the one honest word on what is in each. */
  readonly executables: readonly PackedExecutable[];
  readonly warnings: readonly UserError[];
}

/**
 * Makes all files of a release: the runner as JavaScript and as executables in archives, with manual page, completions,
 * licences, an example of the configuration and the files of the distribution, the lock, the evidence of the executables,
 * and checksums of all of it.
 *
 * @throws UserError `FRB210`, `FRB211`, and what `build` throws.
 */
export async function packRelease(options: PackOptions): Promise<PackReport> {
  const { name, version } = releaseOf(options);
  const title = `${name}-${version}`;
  const own = await ownFiles(options.distribution?.files);
  const signal = options.signal ?? new AbortController().signal;
  await using work = await openTempFolder(options.cacheDir ?? defaultCacheDir(options.env ?? process.env));
  const warnings: UserError[] = [];
  const executions: PackedExecutable[] = [];
  const files = await writeReleaseFolder(options.output, async (draft) => {
    const release = { ...options, signal, distribution: { ...options.distribution, name, version } };
    const script = path.join(draft, `${title}.mjs`);
    const asScript = await buildOne(release, script, false);
    warnings.push(...asScript.warnings);
    const runner = askedRunner(script, work.dir, signal);
    const installed = await installedFiles(runner, own);
    await writeFile(path.join(draft, `${title}.lock`), await runner.ask('build-info', '--lock'));
    const executable = path.join(work.dir, 'forgejo-runner');
    const evidenceDir = path.join(work.dir, 'evidence');
    const { artefacts } = await buildOne({ ...release, evidenceDir }, executable, true);
    const licenses = {
      path: 'share/doc/forgejo-runner/LICENSES.txt',
      source: { file: path.join(evidenceDir, 'LICENSES.txt') },
    };
    const beside = [{ ...licenses, isExecutable: false }, ...installed];
    for (const name of evidenceNames) {
      await copyFile(path.join(evidenceDir, name), path.join(draft, `${title}.${name}`), constants.COPYFILE_EXCL);
    }
    for (const { target, file, execution } of artefacts) {
      if (target === undefined) continue;
      const archive = `${title}-${target}`;
      await writeArchive(path.join(draft, `${archive}.tar.gz`), archive, archiveEntries(target, file, beside));
      executions.push({ name: `${archive}.tar.gz`, target, execution });
    }
  });
  return { output: options.output, title, files, executables: executions, warnings };
}

/** What can be said of a build, in files beside the archives. */
const evidenceNames = ['sbom.cdx.json', 'provenance.intoto.json', 'LICENSES.txt', 'report.html'] as const;

function releaseOf({ distribution, version }: PackOptions): { readonly name: string; readonly version: string } {
  if (distribution?.name === undefined) {
    throw new UserError('FRB210', 'expected a manifest with the name of the distribution, found none');
  }
  const chosen = version ?? distribution.version;
  if (chosen === undefined) {
    throw new UserError('FRB210', 'expected the version of the release, found none', {
      next: 'say it with --release 1.2.3, or write distribution.version into the manifest',
    });
  }
  if (isReleaseVersion(chosen)) return { name: distribution.name, version: chosen };
  throw new UserError('FRB210', `expected a version such as 1.2.3, found ${quoted(chosen)}`);
}

function buildOne(
  options: PackOptions & Pick<BuildOptions, 'evidenceDir'>,
  output: string,
  isExecutable: boolean,
): Promise<BuildReport> {
  const { distribution: given, version: _, ...others } = options;
  const distribution = builtDistribution(given);
  return build({ ...others, output, isExecutable, ...(distribution === undefined ? {} : { distribution }) });
}
