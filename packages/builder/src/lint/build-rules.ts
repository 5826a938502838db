import path from 'node:path';
import { build, type BuildReport } from '../build.ts';
import type { BundledPackage } from '../bundle/packages-in.ts';
import type { EventSink } from '../events.ts';
import { defaultBackends } from '../manifest/layer.ts';
import { manifestFromFlags } from '../manifest/manifest.ts';
import { sizeText } from '../manifest/units.ts';
import { openTempFolder } from '../store/temp-folder.ts';
import { UserError, UserErrors } from '../user-error.ts';
import type { AuthorPackage } from './author-package.ts';
import { addTo } from './dependency-rules.ts';
import type { Remark, RuleId } from './finding.ts';

/** How a trial build is made, and what it may cost. */
export interface TrialOptions {
  readonly cwd: string;
  readonly version: string;
  readonly cacheDir: string;
  readonly limits: TrialLimits;
  readonly onEvent: EventSink;
  readonly signal: AbortSignal;
}

/** What a backend may cost those who build it in before that is remarked on. */
export interface TrialLimits {
  /** The package with what it alone brings. */
  readonly sizeBytes: number;
  readonly importMs: number;
}

/** What a trial build found. */
export interface Trial {
  readonly remarks: readonly Remark[];
  /** What the package adds to a runner, with its dependencies. Undefined when none could be built. */
  readonly bundledBytes?: number;
  readonly importMs?: number;
}

/** Builds a runner with the package alone, starts it, and throws it away. */
export async function tryBuild(subject: AuthorPackage, options: TrialOptions): Promise<Trial> {
  const { cwd, version, cacheDir, onEvent, signal } = options;
  await using temp = await openTempFolder(cacheDir);
  const manifest = manifestFromFlags({ with: [subject.dir], without: Object.keys(defaultBackends) }, cwd, version);
  const output = path.join(temp.dir, 'runner.mjs');
  try {
    const report = await build({ manifest, output, isExecutable: false, cwd, cacheDir, onEvent, signal });
    return judge(subject, report, options.limits);
  } catch (error) {
    if (error instanceof UserErrors) return { remarks: error.errors.map((one) => asRemark(one, subject)) };
    if (error instanceof UserError) return { remarks: [asRemark(error, subject)] };
    throw error;
  }
}

function asRemark(error: UserError, { dir }: AuthorPackage): Remark {
  const { code, message, next, where } = error;
  const rule = ruleOf(code);
  return {
    rule,
    severity: 'error',
    message: `${code} ${message}`,
    // What a build says is for those who use the package.
    next: rule === 'types' ? 'change it to what the API asks for; docs/backends tells of each member' : next,
    ...(where === undefined ? {} : { where: path.resolve(dir, where) }),
  };
}

function ruleOf(code: string): RuleId {
  if (/^FRB40[2-6]$/.test(code)) return 'types';
  return /^FRB50[2-4]$/.test(code) ? 'hazards' : 'build';
}

function judge(subject: AuthorPackage, report: BuildReport, limits: TrialLimits): Trial {
  const own = ownPackages(subject, report.packages);
  const bundledBytes = own.reduce((sum, { bytes }) => sum + bytes, 0);
  const importMs = Math.max(0, ...(report.smoke?.backends ?? []).map((backend) => backend.importMs ?? 0));
  return {
    remarks: [
      ...report.warnings.map((warning): Remark => ({ ...asRemark(warning, subject), severity: 'warning' })),
      ...findCopies(subject, report.packages),
      ...judgeSize(own, bundledBytes, limits),
      ...judgeImport(importMs, limits),
    ],
    bundledBytes,
    importMs,
  };
}

/** The package, and what it needs, down to the bottom; not the packages of this project, which each runner has. */
function ownPackages(subject: AuthorPackage, packages: readonly BundledPackage[]): readonly BundledPackage[] {
  const wanted = new Set([subject.json.name]);
  for (const name of wanted) {
    const needs = packages.filter((one) => one.name === name).flatMap((one) => one.needs);
    for (const need of needs) if (!need.startsWith('@forgejo-runner/')) wanted.add(need);
  }
  return packages.filter(({ name }) => wanted.has(name));
}

function findCopies({ json }: AuthorPackage, packages: readonly BundledPackage[]): readonly Remark[] {
  return Object.keys(json.dependencies ?? {}).flatMap((name): Remark[] => {
    const copies = packages.filter((one) => one.name === name);
    const versions = [...new Set(copies.map(({ version }) => version))].toSorted();
    const newest = versions.at(-1);
    if (versions.length < 2 || newest === undefined) return [];
    return [
      {
        rule: 'two-copies',
        severity: 'warning',
        message: `expected one ${name} in a runner, found ${versions.join(' and ')}, together ${sizeText(copies.reduce((sum, { bytes }) => sum + bytes, 0))}`,
        next: `want the version that the runner has, such as "^${newest}"`,
        at: ['dependencies', name],
        fix: (edited) => addTo(edited, 'dependencies', name, `^${newest}`),
      },
    ];
  });
}

function judgeSize(own: readonly BundledPackage[], bytes: number, limits: TrialLimits): readonly Remark[] {
  if (bytes <= limits.sizeBytes) return [];
  const heaviest = own.slice(0, 3).map((one) => `${one.name} ${sizeText(one.bytes)}`);
  return [
    {
      rule: 'size',
      severity: 'warning',
      message: `expected at most ${sizeText(limits.sizeBytes)} in a runner, found ${sizeText(bytes)}: ${heaviest.join(', ')}`,
      next: 'leave out what is not needed, or say with --max-size that it is meant',
      at: ['dependencies'],
    },
  ];
}

function judgeImport(importMs: number, limits: TrialLimits): readonly Remark[] {
  if (importMs <= limits.importMs) return [];
  return [
    {
      rule: 'import-time',
      severity: 'warning',
      message: `expected its import to take at most ${limits.importMs} ms, found ${Math.round(importMs)} ms`,
      next: 'load what is heavy when it is used, by import()',
    },
  ];
}
