import { apiVersion } from '@forgejo-runner/core';
import type { BuiltPackage } from '../build-info.ts';
import { runnerVersion } from '../runner-version.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';
import { formatTable } from './format-table.ts';

/** `list-backends`: which factories registered, and from which packages. */
export async function listBackends(options: { readonly json?: boolean }, context: CommandContext): Promise<number> {
  const { io, factories, buildInfo, importTimes } = context;
  const backends = factories
    .list()
    .map(({ factory, package: from, version }) => ({
      id: factory.id,
      description: factory.description,
      package: from ?? null,
      version: version ?? null,
      ...importMsOf(importTimes?.get(from ?? '')),
      ...conformanceOf(buildInfo, from),
    }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  if (options.json === true) {
    const answer = { schema: 1, runner: buildInfo?.runner ?? runnerVersion, api: apiVersion, backends };
    io.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
    return exitCodes.success;
  }
  if (backends.length === 0) {
    io.stdout.write('This runner has no backend: build one with forgejo-runner-build --with PACKAGE\n');
    return exitCodes.success;
  }
  const rows = backends.map((one) => [
    one.id,
    one.package === null ? '-' : `${one.package}@${one.version ?? 'unknown'}`,
    one.description,
  ]);
  io.stdout.write(formatTable([['BACKEND', 'PACKAGE', 'DESCRIPTION'], ...rows]));
  return exitCodes.success;
}

/** How its package did in the conformance suite, where the build was put through it. */
function conformanceOf(
  buildInfo: CommandContext['buildInfo'],
  from: string | undefined,
): Pick<BuiltPackage, 'conformance'> {
  const conformance = buildInfo?.packages.find((one) => one.name === from)?.conformance;
  return conformance === undefined ? {} : { conformance };
}

/** In tenths of a millisecond. */
function importMsOf(ms: number | undefined): { readonly importMs?: number } {
  return ms === undefined ? {} : { importMs: Math.round(ms * 10) / 10 };
}
