import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Metafile } from 'esbuild';
import { packageAround } from './one-core.ts';

/** A package of which something is in a runner. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  readonly dir: string;
  /** What it weighs in the result. */
  readonly bytes: number;
  /** Files that went in, within the package, and what each weighs in the result. */
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** SPDX expression of its package.json; undefined where it names none. */
  readonly license: string | undefined;
  /** Names of the packages that it depends on. */
  readonly needs: readonly string[];
}

/** Every package that is in a bundle, the heaviest first. What was installed and not used is not among them. */
export async function packagesIn(metafile: Metafile, workDir: string): Promise<readonly BundledPackage[]> {
  const found = new Map<string, BundledPackage>();
  const inputs = new Map(Object.keys(metafile.inputs).map((input) => [input, 0]));
  for (const output of Object.values(metafile.outputs)) {
    for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) inputs.set(input, bytesInOutput);
  }
  const owners = new Map<string, ReturnType<typeof packageAround>>();
  for (const [input, bytes] of inputs) {
    const file = path.resolve(workDir, input);
    const dir = path.dirname(file);
    const known = owners.get(dir) ?? packageAround(file);
    owners.set(dir, known);
    const owner = await known;
    if (owner === undefined || owner.dir === workDir) continue;
    const before = found.get(owner.dir) ?? { ...owner, bytes: 0, files: [], ...(await described(owner.dir)) };
    const name = path.relative(owner.dir, file).replaceAll(path.sep, '/');
    found.set(owner.dir, { ...before, bytes: before.bytes + bytes, files: [...before.files, { name, bytes }] });
  }
  const all = [...found.values()].map((one) => ({
    ...one,
    files: one.files.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  }));
  return all.toSorted((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
}

async function described(dir: string): Promise<Pick<BundledPackage, 'license' | 'needs'>> {
  const json = JSON.parse(await readFile(path.join(dir, 'package.json'), 'utf8')) as Record<string, unknown>;
  const { dependencies } = json;
  const needs = typeof dependencies === 'object' && dependencies !== null ? Object.keys(dependencies) : [];
  return { license: licenseOf(json), needs };
}

function licenseOf({ license, licenses }: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof license === 'string' && license.trim() !== '') return license.trim();
  // Two forms of old packages: an object, and a list of them to choose from.
  const old = [license, licenses].flat().flatMap((one) => (one as { type?: unknown } | null | undefined)?.type ?? []);
  const names = old.filter((one) => typeof one === 'string');
  return names.length === 0 ? undefined : names.join(' OR ');
}
