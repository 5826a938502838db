import { readFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * The current folder as a `--with`, when it is a backend package that nobody named: in a backend's folder the dev loop
 * needs no flag.
 */
export async function findOwnPackage(cwd: string, asked: readonly string[]): Promise<string | undefined> {
  const text = await readFile(path.join(cwd, 'package.json'), 'utf8').catch(() => '{}');
  let found: { name?: unknown; forgejoRunner?: unknown };
  try {
    found = JSON.parse(text) as typeof found;
  } catch {
    // Whoever names this folder gets the proper complaint.
    return undefined;
  }
  if (found.forgejoRunner === undefined || typeof found.name !== 'string') return undefined;
  const isNamed = asked.some(
    (spec) => spec === found.name || spec.startsWith(`${String(found.name)}=`) || path.resolve(cwd, spec) === cwd,
  );
  return isNamed ? undefined : cwd;
}
