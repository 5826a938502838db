import { apiVersion } from '@forgejo-runner/core';
import type { BuiltPackage } from '../build-info.ts';
import { runnerVersion } from '../runner-version.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';
import { formatTable } from './format-table.ts';

/** `build-info`: what the builder wrote into this runner, or what can be said of one that was put together by hand. */
export async function showBuildInfo(options: { readonly json?: boolean }, context: CommandContext): Promise<number> {
  const { io, buildInfo } = context;
  if (options.json === true) {
    const answer = buildInfo ?? { schema: 1, builder: null, runner: runnerVersion, api: apiVersion, packages: [] };
    io.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
    return exitCodes.success;
  }
  const rows: (readonly string[])[] = [
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

function packageRow(built: BuiltPackage): readonly string[] {
  const source = built.spec === undefined ? built.source : `${built.source} ${built.spec}`;
  return [`${built.name}@${built.version}`, source, built.backends.length === 0 ? '-' : built.backends.join(', ')];
}
