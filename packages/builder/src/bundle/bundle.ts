import path from 'node:path';
import esbuild, { type BuildFailure, type BuildOptions, type BuildResult, type Message, type Plugin } from 'esbuild';
import { judgeCoreCopies, requireOneCore } from '../check/core-copies.ts';
import type { Manifest } from '../manifest/manifest.ts';
import type { Resolution } from '../resolve/resolved-package.ts';
import { requireUnchanged } from '../store/check-inputs.ts';
import type { Store } from '../store/store.ts';
import { throwAll, UserError } from '../user-error.ts';
import { droppedImports, translateBundleErrors } from './bundle-errors.ts';
import { findHazards, hazardError } from './hazards.ts';
import { findTooHeavy } from './budgets.ts';
import { findDenied } from './licenses.ts';
import { type NativeAddons, nativeAddons, type RefusedAddon } from './native-addons.ts';
import { type OneCore, oneCore } from './one-core.ts';
import { type BundledPackage, packagesIn } from './packages-in.ts';
import { type Remedies, remedies } from './remedies.ts';
import { keepBackends, sourceOfPackages } from './resolve-packages.ts';
import { commonJs, inOneFile, nameParts } from './parts.ts';
import { stableNames } from './stable-names.ts';

/** A runner in one file. */
export interface Bundle {
  readonly code: string;
  readonly format: 'esm' | 'cjs';
  /** Files that went in. */
  readonly inputs: readonly string[];
  readonly warnings: readonly UserError[];
  /** Packages whose native addons were left out. */
  readonly stubbed: readonly string[];
  /** Packages whose native addons are in it: it runs on the platform that it was built on alone. */
  readonly embedded: readonly string[];
  /** What is in it, the heaviest first. */
  readonly packages: readonly BundledPackage[];
}

/** What is bundled, and how. */
export interface BundleRequest {
  /** Has the entry, and a `node_modules` with the chosen packages. */
  readonly workDir: string;
  readonly resolution: Resolution;
  readonly manifest: Manifest;
  readonly format: 'esm' | 'cjs';
  /** What is imported lazily is read lazily: for a file. An executable has its code compiled already. */
  readonly isInParts: boolean;
}

/** What the packages of the runner ask for in `engines`. */
const oldestNode = [24, 15] as const;

const banner = [
  '#!/usr/bin/env node',
  // Without it an old Node fails somewhere in the middle, with a stack trace.
  `{const[major,minor]=process.versions.node.split('.').map(Number);if(major<${oldestNode[0]}||major===${oldestNode[0]}&&minor<${oldestNode[1]}){process.stderr.write('expected Node ${oldestNode.join('.')} or newer, found '+process.versions.node+'; next: start '+process.argv[1]+' with a newer Node, or build an executable that needs none: forgejo-runner-build --sea\\n');process.exit(1)}}`,
].join('\n');

/** The bundle cannot be CommonJS: something in it uses what only modules have. */
export class NeedsModules extends Error {
  override readonly name: string = 'NeedsModules';
}

/**
 * Bundles the entry of a work folder into one file.
 *
 * @throws UserError `FRB408`, `FRB502` to `FRB504`, `FRB507`
 * @throws NeedsModules for the format `cjs`, when it has to be `esm`.
 */
export async function bundle(request: BundleRequest, store: Store): Promise<Bundle> {
  const { workDir, format } = request;
  const lean = await runOnce(request, remedies());
  const isWhole = lean.cures.wantWhole().size > 0;
  const { result, ...findings } = isWhole ? await runOnce(request, remedies(isWhole)) : lean;
  if (format === 'cjs' && result.warnings.some((warning) => warning.id === 'empty-import-meta'))
    throw new NeedsModules();
  const inputs = Object.keys(result.metafile.inputs);
  requireOneCore(inputs);
  const absolute = inputs.map((input) => path.resolve(workDir, input));
  const [packages] = await Promise.all([packagesIn(result.metafile, workDir), requireUnchanged(absolute, store.dir)]);
  const { denyLicenses, budgets } = request.manifest;
  throwAll([...findDenied(packages, denyLicenses), ...findTooHeavy(packages, budgets)]);
  const warnings = await judge(request, result.warnings, absolute, findings, store);
  return {
    code: codeOf(result, request, inputs),
    format,
    inputs: absolute,
    warnings,
    stubbed: [...findings.addons.stubbed()],
    embedded: [...findings.addons.embedded()],
    packages,
  };
}

function codeOf(result: Result, { workDir, format, isInParts }: BundleRequest, inputs: readonly string[]): string {
  const { outputFiles, metafile } = result;
  const withStableNames = stableNames(inputs);
  if (isInParts) {
    const parts = nameParts(outputFiles, metafile, workDir);
    return inOneFile(
      parts.map((part) => ({ ...part, code: withStableNames(part.code) })),
      banner,
    );
  }
  const code = withStableNames(outputFiles[0]?.text ?? '');
  return format === 'esm' ? `${banner}\n${commonJs}${code}` : code;
}

type Result = BuildResult<{ metafile: true; write: false }>;

async function runOnce(request: BundleRequest, cures: Remedies): Promise<Findings & { readonly result: Result }> {
  const { workDir, resolution, manifest } = request;
  const core = oneCore(resolution, workDir);
  const addons = nativeAddons(manifest.native);
  const plugins = [
    core.plugin,
    addons.plugin,
    cures.plugin,
    sourceOfPackages(resolution.folders),
    ...keepBackends(resolution),
  ];
  return { result: await runEsbuild(request, plugins), core, addons, cures };
}

async function runEsbuild(request: BundleRequest, plugins: Plugin[]): Promise<Result> {
  const { format } = request;
  try {
    return await esbuild.build({ ...options(request), plugins, metafile: true, write: false });
  } catch (error) {
    const { errors } = error as Partial<BuildFailure>;
    if (errors === undefined) throw error;
    if (format === 'cjs' && errors.some((one) => one.text.includes('Top-level await'))) throw new NeedsModules();
    throwAll(await translateBundleErrors(distinct(errors), request.workDir));
    throw error;
  }
}

function options({ workDir, format, isInParts }: BundleRequest): BuildOptions {
  return {
    absWorkingDir: workDir,
    entryPoints: ['entry.mjs'],
    outdir: workDir,
    splitting: isInParts,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format,
    // Identifiers stay: names in stack traces, and measured it starts faster than fully minified.
    minifyWhitespace: true,
    minifySyntax: true,
    keepNames: true,
    // A local package's settings for its own compiler must not change the bundle.
    tsconfigRaw: {},
    legalComments: 'eof',
    logLevel: 'silent',
    charset: 'utf8',
    // Inside an executable only `require` finds Node's own modules.
    ...(format === 'cjs' ? { supported: { 'dynamic-import': false } } : {}),
  };
}

function distinct(messages: readonly Message[]): readonly Message[] {
  const seen = new Set<string>();
  return messages.filter((message) => {
    const key = `${message.text} ${message.location?.file ?? ''}`;
    return seen.size < seen.add(key).size;
  });
}

interface Findings {
  readonly core: OneCore;
  readonly addons: NativeAddons;
  readonly cures: Remedies;
}

async function judge(
  request: BundleRequest,
  messages: readonly Message[],
  inputs: readonly string[],
  findings: Findings,
  store: Store,
): Promise<readonly UserError[]> {
  const copies = judgeCoreCopies(findings.core.others(), request.resolution.core);
  const refused = [...findings.addons.refused()].map(([owner, addon]) => refusedAddon(owner, addon));
  const hazards = (await findHazards(inputs, findings.cures.applied(), store)).map(hazardError);
  const errors = [...copies.errors, ...refused, ...droppedImports(messages, request.resolution.backends)];
  throwAll(request.manifest.isStrict ? [...errors, ...copies.warnings, ...hazards] : errors);
  return [...copies.warnings, ...hazards];
}

function refusedAddon(owner: string, { file, isMissing }: RefusedAddon): UserError {
  if (isMissing) {
    return new UserError('FRB504', `${owner} is to have its native addon ${file} embedded, but it is not compiled`, {
      next: `let its install script compile it: --allow-scripts ${owner}`,
    });
  }
  return new UserError('FRB504', `${owner} loads the native addon ${file}, which cannot be part of a single file`, {
    next: `leave it out, if the package works without it: --native ${owner}=stub; or carry it along: --native ${owner}=embed`,
  });
}
