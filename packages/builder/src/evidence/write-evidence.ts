import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { BundledPackage } from '../bundle/packages-in.ts';
import { hashFile } from '../store/sums.ts';
import { writeTextFile } from '../store/write-output.ts';
import type { MadeEvidence } from './evidence.ts';
import type { Subject } from './provenance.ts';
import { makeTreemap } from './treemap.ts';

/** A file that was made, and its checksum. */
export interface MadeFile {
  readonly file: string;
  readonly sha256: string;
}

/**
 * Writes evidence into a folder: `sbom.cdx.json`, `provenance.intoto.json`, `LICENSES.txt`, `report.html`, and `SHA256SUMS` of
 * these and of the results, which `sha256sum --check` takes. Returns the files.
 */
export async function writeEvidence(
  dir: string,
  evidence: MadeEvidence,
  made: { readonly results: readonly MadeFile[]; readonly packages: readonly BundledPackage[]; readonly title: string },
): Promise<readonly string[]> {
  await mkdir(dir, { recursive: true });
  const subjects: Subject[] = made.results.map(({ file, sha256 }) => ({ name: path.basename(file), sha256 }));
  const texts: Readonly<Record<string, string>> = {
    'sbom.cdx.json': json(evidence.sbom),
    'provenance.intoto.json': json(evidence.provenanceOf(subjects)),
    'LICENSES.txt': evidence.licenses,
    'report.html': makeTreemap(made.packages, made.title),
  };
  for (const [name, text] of Object.entries(texts)) await writeTextFile(path.join(dir, name), text);
  const own = Object.keys(texts).map(async (name) => {
    const file = path.join(dir, name);
    return { file, sha256: await hashFile(file) };
  });
  const sums = path.join(dir, 'SHA256SUMS');
  await writeTextFile(sums, checksums(dir, [...made.results, ...(await Promise.all(own))]));
  return [...Object.keys(texts).map((name) => path.join(dir, name)), sums];
}

/** The text of a SHA256SUMS in a folder, sorted by name. */
export function checksums(dir: string, files: readonly MadeFile[]): string {
  const lines = files.map(({ file, sha256 }) => [path.relative(dir, file).replaceAll(path.sep, '/'), sha256] as const);
  return lines
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, sum]) => `${sum}  ${name}\n`)
    .join('');
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
