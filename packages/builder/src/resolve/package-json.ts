import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../user-error.ts';

/** The parts of a package.json that the builder looks at. */
export interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly sideEffects?: unknown;
  readonly forgejoRunner?: unknown;
}

const schema = z.object({
  name: z.string().min(1),
  version: z.string().min(1),
  dependencies: z.record(z.string(), z.string()).exactOptional(),
  peerDependencies: z.record(z.string(), z.string()).exactOptional(),
  optionalDependencies: z.record(z.string(), z.string()).exactOptional(),
  sideEffects: z.unknown().optional(),
  forgejoRunner: z.unknown().optional(),
});

/**
 * Reads the package.json of a folder.
 *
 * @throws UserError `FRB202` when there is none, or it has no name and version.
 */
export async function readPackageJson(dir: string): Promise<PackageJson> {
  const file = path.join(dir, 'package.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const isMissing = ['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '');
    const problem = isMissing ? 'there is none' : 'it cannot be read';
    throw new UserError('FRB202', `expected a package.json in ${dir}, but ${problem}`, { where: file, cause });
  }
  return parsePackageJson(text, file);
}

/** Reads the text of a package.json. @throws UserError `FRB202` */
export function parsePackageJson(text: string, where: string): PackageJson {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new UserError('FRB202', `expected a package.json, but it cannot be read as JSON`, { where, cause });
  }
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const problems = read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  throw new UserError('FRB202', `expected a package.json with name and version; ${problems}`, {
    where,
    cause: read.error,
  });
}

/** The folder that a path or a link stands for. */
export async function realFolder(dir: string): Promise<string> {
  return realpath(dir).catch(() => path.resolve(dir));
}
