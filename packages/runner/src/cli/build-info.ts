import { inflateRawSync } from 'node:zlib';
import { apiVersion } from '@forgejo-runner/core';
import { type BuildInfo, type BuiltPackage, distributionTitle } from '../build-info.ts';
import type { Io } from '../io.ts';
import { runnerVersion } from '../runner-version.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';
import { formatTable } from './format-table.ts';

/** `build-info`: what the builder wrote into this runner, or what can be said of one that was put together by hand. */
export async function showBuildInfo(
  options: {
    readonly json?: boolean;
    readonly lock?: boolean;
    readonly sbom?: boolean;
    readonly provenance?: boolean;
    readonly licenses?: boolean;
  },
  context: CommandContext,
): Promise<number> {
  const { io } = context;
  if (options.lock === true) return showLock(context);
  const part = (['sbom', 'provenance', 'licenses'] as const).find((name) => options[name] === true);
  if (part !== undefined) return showEvidence(part, context);
  const buildInfo = withoutLock(context.buildInfo);
  if (options.json === true) {
    const answer = buildInfo ?? { schema: 1, builder: null, runner: runnerVersion, api: apiVersion, packages: [] };
    io.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
    return exitCodes.success;
  }
  const rows: (readonly string[])[] = [
    ...distributionRows(buildInfo),
    ['runner', buildInfo?.runner ?? runnerVersion],
    ['backend API', buildInfo?.api ?? apiVersion],
    ['Node', process.versions.node],
  ];
  if (buildInfo === undefined) {
    rows.push(['builder', 'none: this runner was put together without forgejo-runner-build']);
    io.stdout.write(formatTable(rows));
    return exitCodes.success;
  }
  rows.push(['built for Node', buildInfo.node], ['builder', buildInfo.builder], ['esbuild', buildInfo.esbuild]);
  rows.push(['official', buildInfo.official ? 'yes' : 'no: a package of the runner was replaced']);
  io.stdout.write(formatTable(rows));
  io.stdout.write(`\n${formatTable([['PACKAGE', 'SOURCE', 'BACKENDS'], ...buildInfo.packages.map(packageRow)])}`);
  return exitCodes.success;
}

function distributionRows(buildInfo: BuildInfo | undefined): readonly (readonly string[])[] {
  const distribution = buildInfo?.distribution;
  if (distribution === undefined) return [];
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['distribution', distributionTitle(distribution)],
    ['vendor', distribution.vendor],
    ['homepage', distribution.homepage],
    ['support', distribution.support],
  ];
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
}

function packageRow(built: BuiltPackage): readonly string[] {
  const source = built.spec === undefined ? built.source : `${built.source} ${built.spec}`;
  return [`${built.name}@${built.version}`, source, built.backends.length === 0 ? '-' : built.backends.join(', ')];
}

/** What is packed is for programs, and far longer than all the rest. */
function withoutLock(buildInfo: BuildInfo | undefined): BuildInfo | undefined {
  if (buildInfo === undefined) return undefined;
  const { lock: _lock, evidence: _evidence, ...rest } = buildInfo;
  return rest;
}

function showLock({ io, buildInfo }: CommandContext): number {
  const lock = unpacked(buildInfo?.lock, 'lock');
  if (lock === undefined) return foundNone(io, 'locks');
  io.stdout.write(lock);
  return exitCodes.success;
}

function showEvidence(part: 'sbom' | 'provenance' | 'licenses', { io, buildInfo }: CommandContext): number {
  const evidence = unpacked(buildInfo?.evidence, 'evidence');
  if (evidence === undefined) return foundNone(io, 'evidence');
  // As the builder wrote it.
  const value: unknown = (JSON.parse(evidence) as Readonly<Record<string, unknown>>)[part];
  io.stdout.write(typeof value === 'string' ? value : `${JSON.stringify(value, undefined, 2)}\n`);
  return exitCodes.success;
}

function unpacked(packed: string | undefined, kind: string): string | undefined {
  const content = new RegExp(`^forgejo-runner-${kind}-1:([A-Za-z0-9+/=]+);$`).exec(packed ?? '')?.[1];
  return content === undefined ? undefined : inflateRawSync(Buffer.from(content, 'base64')).toString('utf8');
}

function foundNone(io: Io, what: string): number {
  io.stderr.write(`expected a runner that forgejo-runner-build made, found none of its ${what} in this one\n`);
  return exitCodes.failure;
}
