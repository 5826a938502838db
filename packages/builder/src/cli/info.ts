import { stripVTControlCharacters } from 'node:util';
import { describeRemote, type PackageSummary } from '../resolve/catalogue.ts';
import { requireCompatible } from '../resolve/compatibility.ts';
import { findInstallation } from '../resolve/installation.ts';
import { openNpm } from '../resolve/npm.ts';
import { readPackageField } from '../resolve/package-field.ts';
import { findVersionForApi } from '../resolve/registry-view.ts';
import { servedByRelease } from '../resolve/served-api.ts';
import { UserError } from '../user-error.ts';
import type { AnswerFlags } from './define-catalogue.ts';
import { exitCodes } from './exit-codes.ts';

/** The command `info`: what is known of a package before it is installed. Resolves to its exit code. */
export async function infoCommand(spec: string, flags: AnswerFlags, signal: AbortSignal): Promise<number> {
  const npm = openNpm(process.cwd(), process.env);
  const { version: coreVersion } = findInstallation();
  const judge: Parameters<typeof describeRemote>[2] = async (viewed) => {
    try {
      const field = readPackageField(viewed.forgejoRunner, `${viewed.name}@${viewed.version}`);
      const find = (name: string, api: number): Promise<string | undefined> =>
        findVersionForApi(name, api, npm, signal);
      await requireCompatible({ ...viewed, field }, { version: coreVersion, served: servedByRelease }, find);
      return undefined;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return `${error.code} ${error.message}; next: ${error.next}`;
    }
  };
  const summary = await describeRemote(spec, npm, judge, signal);
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ schema: 1, ...summary }, undefined, 2)}\n`);
  else process.stdout.write(asText(summary));
  return exitCodes.done;
}

function asText(summary: PackageSummary): string {
  const { api, backends, field, published, deprecated, peerDependencies, problem } = summary;
  const peers = Object.entries(peerDependencies).map(([name, range]) => `${name} ${range}`);
  const extra = Object.entries(field ?? {}).filter(([key]) => !['api', 'backends', 'names', 'export'].includes(key));
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['package', `${summary.name}@${summary.version}`],
    ['description', summary.description],
    ['backends', backends.join(', ')],
    ['API', api === undefined ? undefined : String(api)],
    ['needs', peers.join(', ')],
    ['licence', summary.license],
    ['homepage', summary.homepage],
    ['published', published],
    ['deprecated', deprecated],
    // Capabilities, verdicts and whatever else its author declares.
    ...extra.map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)] as const),
    [
      'fits here',
      problem === undefined ? 'as far as package.json tells; its types are checked by build' : `no: ${problem}`,
    ],
  ];
  return rows
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([key, value]) => `${key.padEnd(12)}${clean(value ?? '')}\n`)
    .join('');
}

/** A stranger's words as they may stand on somebody's terminal. */
function clean(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u001f\u007f]/g, ' ');
}
