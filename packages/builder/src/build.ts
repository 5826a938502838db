import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Bundle, BundleRequest } from './bundle/bundle.ts';
import { findTooLarge, findTooSlow } from './bundle/budgets.ts';
import type { BundledPackage } from './bundle/packages-in.ts';
import { checkBackends, type CheckReport } from './check/check-types.ts';
import { findDuplicates } from './check/duplicates.ts';
import { entryFiles, withoutAwait } from './entry/entry-source.ts';
import { layOutPackages, writeEntry } from './entry/work-folder.ts';
import { type BuildEvent, type EventSink, runStep } from './events.ts';
import { embedEvidence, type MadeEvidence, makeEvidence } from './evidence/evidence.ts';
import { imageNames, isImageTarget, layoutFiles, makePlatformImage, type PlatformImage } from './image/image.ts';
import { writeImage } from './image/write-image.ts';
import { type MadeFile, writeEvidence } from './evidence/write-evidence.ts';
import { type BuildInfo, makeBuildInfo, withVerdicts } from './evidence/build-info.ts';
import type { ConformanceGate, EmbeddedVerdict, EmbeddedVerdicts } from './gate/conformance-gate.ts';
import { type Execution, inWords } from './gate/how-to-execute.ts';
import { type SmokeReport, smokeRun } from './gate/smoke-run.ts';
import type { BuiltDistribution } from './manifest/distribution.ts';
import { builderMarks } from './known/builder-marks.ts';
import { findResult, type KnownResult, rememberResult, resultKey } from './known/known-result.ts';
import type { Inputs } from './known/places.ts';
import type { Manifest } from './manifest/manifest.ts';
import { executableOutputs, type Output, scriptOutput } from './package/outputs.ts';
import { baseVersion } from './package/node-bases.ts';
import { hostTarget, type Target } from './package/target.ts';
import { findInstallation, type Installation } from './resolve/installation.ts';
import { openNpm } from './resolve/npm.ts';
import { type LockOptions, type ResolveInput, resolveProject } from './resolve/resolve-project.ts';
import type { Resolution } from './resolve/resolved-package.ts';
import { inCache } from './store/disk-problem.ts';
import { defaultCacheDir, openStore, type Store } from './store/store.ts';
import { openTempFolder } from './store/temp-folder.ts';
import { vendorOf } from './resolve/vendor.ts';
import { writeOutput } from './store/write-output.ts';
import { throwAll, UserError, UserErrors } from './user-error.ts';

/** What to build, where to, and how much of it. */
export interface BuildOptions extends LockOptions {
  readonly manifest: Manifest;
  /** File of the result. Made executable. With several targets each has its name behind it. */
  readonly output: string;
  /** Executables that need no Node, instead of a JavaScript file. */
  readonly isExecutable: boolean;
  /** Platforms of the executables. Default: this one. */
  readonly targets?: readonly Target[];
  /** Whose runner it is, where somebody ships it under a name. */
  readonly distribution?: BuiltDistribution;
  /** Folder that relative paths and the project's `.npmrc` belong to. */
  readonly cwd: string;
  /** Environment that npm's is taken from. Default: that of the process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default: what the platform uses for caches. */
  readonly cacheDir?: string;
  /** Builds also when nothing changed since the output was written. */
  readonly isForced?: boolean;
  /** An image of the executables for Linux: an archive when it ends in `.tar`, else a folder. */
  readonly image?: string;
  /** Folder for what can be said of the result: SBOM, provenance, licences, sizes, checksums. */
  readonly evidenceDir?: string;
  /** Starts the result before it is written. Default true. */
  readonly isSmokeRun?: boolean;
  /** Puts each backend through the conformance suite on the result, which tells of it afterwards. */
  readonly conformance?: ConformanceGate;
  readonly onEvent?: EventSink;
  readonly signal?: AbortSignal;
}

/** One file that was built. */
export interface BuiltArtefact {
  /** Undefined for a JavaScript file, which runs on all of them. */
  readonly target: Target | undefined;
  readonly file: string;
  readonly sizeBytes: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
  readonly execution: Execution;
}

/** What was built. */
export interface BuildReport {
  /** The first of the artefacts. */
  readonly output: string;
  readonly sizeBytes: number;
  readonly artefacts: readonly BuiltArtefact[];
  readonly buildInfo: BuildInfo;
  readonly warnings: readonly UserError[];
  /** What is in it and what each part weighs, the heaviest first. */
  readonly packages: readonly BundledPackage[];
  /** How the result starts on this machine, unless it was not started. */
  readonly smoke: SmokeReport | undefined;
  /** The output was there already, made from the same inputs: nothing was done. */
  readonly isUnchanged: boolean;
}

/** A build on its way. */
interface Build {
  readonly options: BuildOptions;
  readonly installation: Installation;
  readonly store: Store;
  readonly workDir: string;
  readonly emit: EventSink;
  readonly signal: AbortSignal;
  readonly verdicts?: EmbeddedVerdicts;
}

/**
 * Builds a runner: resolves the packages, checks each backend against the API while everything is bundled into one
 * file, starts the result, and writes it where it was asked for. An earlier output stays until then.
 *
 * ```ts
 * await build({ manifest: manifestFromFlags({ with: ['@acme/backend-k8s'] }, cwd, version), output, isExecutable: false, cwd });
 * ```
 *
 * @throws UserError, or UserErrors with all that is wrong; the reason of `signal` when it aborts.
 */
export async function build(options: BuildOptions): Promise<BuildReport> {
  const cacheDir = options.cacheDir ?? defaultCacheDir(options.env ?? process.env);
  return inCache(cacheDir, () => buildIn(cacheDir, options));
}

async function buildIn(cacheDir: string, options: BuildOptions): Promise<BuildReport> {
  const signal = options.signal ?? new AbortController().signal;
  const emit: EventSink = options.onEvent ?? ((_event: BuildEvent) => undefined);
  const installation = findInstallation();
  const store = openStore(cacheDir);
  await using work = await openTempFolder(store.dir);
  const running: Build = { options, installation, store, workDir: work.dir, emit, signal };
  const startedAtMs = Date.now();
  const resolution = await resolve(running);
  const key = await keyOfBuild(running, resolution);
  const known = options.isForced === true ? undefined : await findResult(key, store);
  if (known !== undefined) return unchanged(running, resolution, known);
  const [bundled, checked] = await both(assemble(running, resolution), check(running, resolution), signal);
  const warnings = [...checked.warnings, ...bundled.warnings];
  emitWarnings(emit, warnings);
  const { outputs, evidence, verdicts } = await packAll(running, bundled, resolution);
  const { budgets } = options.manifest;
  throwAll(outputs.flatMap((one) => findTooLarge(one.sizeBytes, bundled.packages, budgets.get('size'))));
  const { artefacts, smoke } = await smokeAll(running, outputs, resolution);
  const title = options.distribution?.name ?? 'forgejo-runner';
  const image =
    options.image === undefined ? [] : [await imageStep(running, options.image, outputs, resolution.runner.version)];
  await runStep('write', emit, async () => {
    for (const one of outputs) await writeOutput(one.destination, one.file);
    return { result: undefined, detail: outputs.map((one) => one.destination).join(', ') };
  });
  const evidenceFiles =
    options.evidenceDir === undefined
      ? []
      : await writeEvidence(options.evidenceDir, evidence, {
          results: [...artefacts, ...image],
          packages: bundled.packages,
          title: `${title} ${resolution.runner.version}`,
        });
  const built: Remembered = { artefacts, packages: bundled.packages, smoke, verdicts: [...(verdicts ?? [])] };
  const inputs = inputsOf(running, bundled, checked);
  if (inputs !== undefined) {
    const written = [...artefacts.map((one) => one.file), ...image.map((one) => one.file), ...evidenceFiles];
    await rememberResult(key, { inputs, outputs: written, startedAtMs, warnings, report: built }, store);
  }
  return reportOf(running, resolution, { ...built, warnings, isUnchanged: false });
}

/** What a build that has nothing to do says again. */
type Remembered = Pick<BuildReport, 'artefacts' | 'packages' | 'smoke'> & {
  readonly verdicts: readonly (readonly [string, EmbeddedVerdict])[];
};

function reportOf(
  { options, installation }: Build,
  resolution: Resolution,
  { verdicts, ...built }: Remembered & Pick<BuildReport, 'warnings' | 'isUnchanged'>,
): BuildReport {
  const [first] = built.artefacts;
  return {
    output: first?.file ?? options.output,
    sizeBytes: first?.sizeBytes ?? 0,
    buildInfo: withVerdicts(makeBuildInfo(resolution, installation, options.distribution), new Map(verdicts)),
    ...built,
  };
}

/** What makes two builds the same: all that was asked for, what it was resolved to, and the builder itself. */
async function keyOfBuild({ options, installation }: Build, resolution: Resolution): Promise<string> {
  const { env: _env, onEvent: _onEvent, signal: _signal, isForced: _isForced, refresh: _refresh, ...asked } = options;
  const { version, arch, platform } = process;
  return resultKey(asked, resolution, { version, arch, platform }, await builderMarks(installation));
}

/** From files and checks to what {@link rememberResult} looks at. Undefined when not all of it is known. */
function inputsOf({ workDir }: Build, bundled: Bundle, checked: CheckReport): Inputs | undefined {
  // An addon is read from the disk by its package's own rules.
  if (checked.files === undefined || bundled.embedded.length > 0) return undefined;
  return { files: [...bundled.inputs, ...checked.files], packages: bundled.packages.map((one) => one.dir), workDir };
}

function unchanged(running: Build, resolution: Resolution, { warnings, report }: KnownResult): BuildReport {
  emitWarnings(running.emit, warnings);
  // Written by this very builder, whose key it has.
  const built = report as Remembered;
  const [first] = built.artefacts;
  running.emit({ event: 'unchanged', output: first?.file ?? running.options.output });
  return reportOf(running, resolution, { ...built, warnings, isUnchanged: true });
}

function emitWarnings(emit: EventSink, warnings: readonly UserError[]): void {
  for (const { code, message, next } of warnings) emit({ event: 'warning', code, message, next });
}

/** Finds all packages, refuses two that provide one backend, and lays the work folder out. */
export async function resolve(
  running: Omit<Build, 'options'> & { readonly options: ResolveInput },
): Promise<Resolution> {
  const { options, installation, store, workDir, emit, signal } = running;
  return runStep('resolve', emit, async () => {
    const resolution = await resolveProject(options, { installation, store }, signal);
    throwAll(findDuplicates(resolution.backends));
    await layOutPackages(workDir, resolution);
    const titles = resolution.backends.map((backend) => `${backend.name}@${backend.version}`);
    return { result: resolution, detail: titles.join(', ') || 'no backend' };
  });
}

async function check(running: Build, resolution: Resolution): Promise<CheckReport> {
  return runStep('check', running.emit, async () => {
    const { allowUntyped } = running.options.manifest;
    const report = await checkBackends(
      { resolution, workDir: running.workDir, allowUntyped },
      running.store,
      running.signal,
    );
    return { result: report, detail: report.summary };
  });
}

async function assemble(running: Build, resolution: Resolution): Promise<Bundle> {
  const { options, installation, store, workDir, emit, signal } = running;
  const files = await runStep('entry', emit, async () => {
    const result = await entryFiles(resolution, path.join(installation.dir, 'templates', 'entry'), store);
    const info = makeBuildInfo(resolution, installation, options.distribution);
    await writeEntry(workDir, result, withVerdicts(info, running.verdicts));
    return { result, detail: `${Object.keys(result).length} files` };
  });
  signal.throwIfAborted();
  return runStep('bundle', emit, async () => {
    const request = { workDir, resolution, manifest: options.manifest };
    const result = await bundleFor(request, options.isExecutable, files['entry.mjs'] ?? '', store);
    return { result, detail: `${result.inputs.length} files, ${kib(result.code.length)}` };
  });
}

/** For an executable CommonJS, which starts faster, unless something in it needs to be a module. */
async function bundleFor(
  request: Pick<BundleRequest, 'workDir' | 'resolution' | 'manifest'>,
  isExecutable: boolean,
  entry: string,
  store: Store,
): Promise<Bundle> {
  // Loaded when there is something to do.
  const { bundle, NeedsModules } = await import('./bundle/bundle.ts');
  if (!isExecutable) return bundle({ ...request, format: 'esm', isInParts: true }, store);
  const file = path.join(request.workDir, 'entry.mjs');
  try {
    await writeFile(file, await withoutAwait(entry, store));
    return await bundle({ ...request, format: 'cjs', isInParts: false }, store);
  } catch (error) {
    if (!(error instanceof NeedsModules)) throw error;
    await writeFile(file, entry);
    return bundle({ ...request, format: 'esm', isInParts: false }, store);
  }
}

interface PackedAll {
  readonly outputs: readonly Output[];
  readonly evidence: MadeEvidence;
  readonly verdicts?: EmbeddedVerdicts;
}

/** Packs, and where that is asked for lets the suite run on it, and packs once more with what it said. */
async function packAll(running: Build, bundled: Bundle, resolution: Resolution): Promise<PackedAll> {
  const { options, emit, signal } = running;
  const packed = await packWithEvidence(running, bundled, resolution);
  if (options.conformance === undefined) return packed;
  const here = packed.outputs.find((one) => one.execution.kind === 'here');
  if (here === undefined) throw new UserError('FRB525', 'none of the targets runs on this machine');
  const { passGate } = await import('./gate/conformance-gate.ts');
  const input = { gate: options.conformance, backends: resolution.backends, cwd: options.cwd, emit, runner: here.file };
  const verdicts = await passGate(input, signal);
  const told = { ...running, verdicts };
  return { ...(await packWithEvidence(told, await assemble(told, resolution), resolution)), verdicts };
}

async function packWithEvidence(running: Build, bundled: Bundle, resolution: Resolution): Promise<PackedAll> {
  const { options, installation, verdicts } = running;
  const buildInfo = withVerdicts(makeBuildInfo(resolution, installation, options.distribution), verdicts);
  const evidence = await makeEvidence({ ...options, bundle: bundled, resolution, installation, buildInfo });
  return { evidence, outputs: await pack(running, { ...bundled, code: embedEvidence(bundled.code, evidence) }) };
}

async function pack(running: Build, bundled: Bundle): Promise<readonly Output[]> {
  const { options, store, workDir, emit, signal } = running;
  if (!options.isExecutable) return [await scriptOutput(bundled, options.output, workDir)];
  const host = hostTarget();
  const wanted = options.targets ?? (host === undefined ? [] : [host]);
  if (wanted.length === 0) {
    throw new UserError('FRB601', `there is no base for ${process.platform}-${process.arch}`);
  }
  return runStep('package', emit, async () => {
    const env = options.env ?? process.env;
    const source = {
      npm: openNpm(options.cwd, env),
      isOffline: options.isOffline === true,
      vendorDir: vendorOf(options),
      store,
      workDir,
      env,
    };
    const result = await executableOutputs(bundled, { targets: wanted, destination: options.output }, source, signal);
    const sizes = result.map((one) => `${one.target} ${mib(one.sizeBytes)}`);
    return { result, detail: `${sizes.join(', ')}; ${bundled.format}, Node ${baseVersion}` };
  });
}

async function imageStep(
  { options, workDir, emit }: Build,
  destination: string,
  outputs: readonly Output[],
  runner: string,
): Promise<MadeFile> {
  return runStep('image', emit, async () => {
    const { distribution } = options;
    const names = imageNames(distribution, runner);
    const platforms: PlatformImage[] = [];
    for (const { target, file } of outputs) {
      if (isImageTarget(target)) platforms.push(await makePlatformImage({ target, file }, names));
    }
    const sha256 = await writeImage(destination, layoutFiles(platforms, names), workDir);
    const detail = `${names.name}:${names.tag} for ${platforms.map((one) => one.architecture).join(', ')}`;
    // A folder is known by its index, which has the checksums of all the rest.
    return {
      result: { file: destination.endsWith('.tar') ? destination : path.join(destination, 'index.json'), sha256 },
      detail,
    };
  });
}

/** Starts each result that can be started here, and says of each whether it was. */
async function smokeAll(
  running: Build,
  outputs: readonly Output[],
  resolution: Resolution,
): Promise<Pick<BuildReport, 'artefacts' | 'smoke'>> {
  const { options, emit, workDir, signal } = running;
  const isWanted = options.isSmokeRun !== false;
  const artefacts = outputs.map(({ target, destination, sizeBytes, sha256, execution }) => ({
    target,
    file: destination,
    sizeBytes,
    sha256,
    execution: isWanted ? execution : ({ kind: 'not', because: 'that was asked for' } as const),
  }));
  if (!isWanted) return { artefacts, smoke: undefined };
  return runStep('smoke', emit, async () => {
    let smoke: SmokeReport | undefined;
    for (const { start, execution } of outputs) {
      if (start === undefined) continue;
      const report = await smokeRun(start, resolution.backends, workDir, signal);
      if (execution.kind !== 'here') continue;
      smoke = report;
      throwAll(findTooSlow(report, options.manifest.budgets));
    }
    const started =
      smoke === undefined ? [] : [`${smoke.backends.map((one) => one.id).join(', ')}; ${smoke.startMs} ms`];
    const others = artefacts
      .filter((one) => one.execution.kind !== 'here')
      .map((one) => `${one.target}: ${inWords(one.execution)}`);
    return { result: { artefacts, smoke }, detail: [...started, ...others].join('; ') };
  });
}

/** Runs two works at once and reports what went wrong in either, the second's first: it knows the cause more often. */
async function both<A, B>(first: Promise<A>, second: Promise<B>, signal: AbortSignal): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  signal.throwIfAborted();
  const failed = [b, a].filter((one) => one.status === 'rejected').map((one) => one.reason as unknown);
  const [defect] = failed.filter((error) => !(error instanceof UserError || error instanceof UserErrors));
  if (defect !== undefined) throw defect;
  throwAll(failed.flatMap((error) => (error instanceof UserErrors ? error.errors : [error as UserError])));
  return [(a as PromiseFulfilledResult<A>).value, (b as PromiseFulfilledResult<B>).value];
}

function kib(bytes: number): string {
  return `${Math.round(bytes / 1024)} KiB`;
}

function mib(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
