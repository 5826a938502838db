import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../user-error.ts';
import { readSums, type Sums } from './sums.ts';

/**
 * Compares files that go into a runner with what was written down when they were installed into the cache. Others are
 * passed over.
 *
 * @throws UserError `FRB316`
 */
export async function requireUnchanged(files: readonly string[], cacheDir: string): Promise<void> {
  const trees = path.join(cacheDir, 'trees') + path.sep;
  const sums = new Map<string, Promise<Sums | undefined>>();
  const changed = await Promise.all(
    files.map(async (file) => {
      if (!file.startsWith(trees)) return [];
      const tree = path.join(trees, file.slice(trees.length).split(path.sep, 1)[0] ?? '');
      const known = sums.get(tree) ?? readSums(tree);
      sums.set(tree, known);
      const expected = (await known)?.[path.relative(tree, file).replaceAll(path.sep, '/')];
      return expected ===
        createHash('sha256')
          .update(await readFile(file))
          .digest('hex')
        ? []
        : [file];
    }),
  );
  const [first, ...others] = changed.flat();
  if (first === undefined) return;
  const more = others.length === 0 ? '' : `, and ${others.length} more`;
  throw new UserError('FRB316', `${path.relative(trees, first)} is not what was installed${more}; nothing was built`, {
    where: first,
  });
}
