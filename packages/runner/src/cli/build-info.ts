import { inflateRawSync } from 'node:zlib';
import { apiVersion } from '@forgejo-runner/core';
import { type BuildInfo, type BuiltPackage, distributionTitle } from '../build-info.ts';
import { runnerVersion } from '../runner-version.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';
import { formatTable } from './format-table.ts';

/** `build-info`: what the builder wrote into this runner, or what can be said of one that was put together by hand. */
export async function showBuildInfo(
  options: { readonly json?: boolean; readonly lock?: boolean },
  context: CommandContext,
): Promise<number> {
  const { io } = context;
  if (options.lock === true) return showLock(context);
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

/** The lock is for programs, and far longer than all the rest. */
function withoutLock(buildInfo: BuildInfo | undefined): BuildInfo | undefined {
  if (buildInfo === undefined) return undefined;
  const { lock: _, ...rest } = buildInfo;
  return rest;
}

function showLock({ io, buildInfo }: CommandContext): number {
  const packed = /^forgejo-runner-lock-1:([A-Za-z0-9+/=]+);$/.exec(buildInfo?.lock ?? '')?.[1];
  if (packed === undefined) {
    io.stderr.write('expected a runner that forgejo-runner-build made, found none of its locks in this one\n');
    return exitCodes.failure;
  }
  io.stdout.write(inflateRawSync(Buffer.from(packed, 'base64')).toString('utf8'));
  return exitCodes.success;
}
