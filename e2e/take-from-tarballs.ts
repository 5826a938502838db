import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram } from './run-program.ts';

const repository = fileURLToPath(new URL('..', import.meta.url));

/** Packages of this project that an author installs. */
const own = ['core', 'kit', 'protocol', 'testkit', 'builder'];

/** Has a package.json take the packages of this project as from a registry that has them: packed into `folder`, and wherever they are wanted. */
export async function takeFromTarballs(file: string, folder: string): Promise<void> {
  for (const name of own) {
    const pack = ['npm', 'pack', '--ignore-scripts', '--pack-destination', folder] as const;
    const packed = await runProgram(pack, {
      cwd: join(repository, 'packages', name),
      env: process.env as Record<string, string>,
    });
    if (packed.code !== 0) throw new Error(`npm pack: exit code ${packed.code}:\n${packed.stderr}`);
  }
  const tarballs = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  const json = JSON.parse(await readFile(file, 'utf8')) as Record<string, Record<string, string>>;
  const overrides: Record<string, string> = {};
  for (const name of own) {
    const full = `@forgejo-runner/${name}`;
    const tarball = `file:${join(folder, tarballs.find((one) => one.startsWith(`forgejo-runner-${name}-`)) ?? '')}`;
    const groups = [json['dependencies'], json['devDependencies']].filter((group) => group?.[full] !== undefined);
    for (const group of groups) if (group !== undefined) group[full] = tarball;
    overrides[full] = groups.length > 0 ? `$${full}` : tarball;
  }
  await writeFile(file, JSON.stringify({ ...json, overrides }));
}
