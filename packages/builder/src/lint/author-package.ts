import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../user-error.ts';

type Ranges = Readonly<Record<string, string>>;

/** The parts of a package.json that are looked at. Others are there as well. */
export interface AuthorPackageJson {
  readonly name: string;
  readonly version: string;
  readonly description?: unknown;
  readonly license?: unknown;
  readonly private?: unknown;
  readonly keywords?: readonly string[];
  readonly engines?: Ranges;
  readonly scripts?: Ranges;
  readonly dependencies?: Ranges;
  readonly peerDependencies?: Ranges;
  readonly devDependencies?: Ranges;
  readonly optionalDependencies?: Ranges;
  readonly sideEffects?: unknown;
  readonly forgejoRunner?: unknown;
}

const ranges = z.record(z.string(), z.string()).exactOptional();

const schema: z.ZodType<AuthorPackageJson> = z.looseObject({
  name: z.string().min(1),
  version: z.string().min(1),
  description: z.unknown().optional(),
  license: z.unknown().optional(),
  private: z.unknown().optional(),
  keywords: z.array(z.string()).exactOptional(),
  engines: ranges,
  scripts: ranges,
  dependencies: ranges,
  peerDependencies: ranges,
  devDependencies: ranges,
  optionalDependencies: ranges,
  sideEffects: z.unknown().optional(),
  forgejoRunner: z.unknown().optional(),
});

/** The package of an author, as it lies in their folder. */
export interface AuthorPackage {
  readonly dir: string;
  /** Path of its package.json. */
  readonly file: string;
  /** What stands in that file. */
  readonly text: string;
  readonly json: AuthorPackageJson;
  /** Names of the files directly in the folder. */
  readonly topFiles: readonly string[];
}

/** Reads the package that lies in a folder. @throws UserError `FRB202` when none does. */
export async function readAuthorPackage(dir: string): Promise<AuthorPackage> {
  const file = path.join(dir, 'package.json');
  const content = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new UserError('FRB202', `expected a package.json in ${dir}, found none that can be read`, {
      where: file,
      cause,
    });
  });
  const read = schema.safeParse(parse(content, file));
  if (!read.success) {
    const problems = read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new UserError('FRB202', `expected a package.json as npm knows it; ${problems.join('; ')}`, { where: file });
  }
  return { dir, file, text: content, json: read.data, topFiles: await readdir(dir) };
}

function parse(content: string, where: string): unknown {
  try {
    return JSON.parse(content);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new UserError('FRB202', `expected a package.json, but it is no JSON: ${reason}`, { where, cause });
  }
}
