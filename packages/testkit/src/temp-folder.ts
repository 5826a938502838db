import { chmod, mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A folder of a test, removed when its scope ends. */
export interface TempFolder extends AsyncDisposable {
  /** Absolute, without symlinks in it. */
  readonly path: string;
  /** Path of something in it. */
  readonly join: (...parts: readonly string[]) => string;
  /** Writes files by their relative path, with the folders that they need. */
  readonly write: (files: Readonly<Record<string, string | Uint8Array>>) => Promise<void>;
}

/**
 * Opens a new, empty folder below the system's temporary folder.
 *
 * ```ts
 * await using folder = await openTempFolder();
 * await folder.write({ '.forgejo/workflows/a.yml': 'on: push' });
 * ```
 */
export async function openTempFolder(prefix = 'forgejo-runner-test-'): Promise<TempFolder> {
  const path = await realpath(await mkdtemp(join(tmpdir(), prefix)));
  return {
    path,
    join: (...parts) => join(path, ...parts),
    write: (files) => writeFiles(path, files),
    [Symbol.asyncDispose]: () => removeTree(path),
  };
}

async function writeFiles(root: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const file = join(root, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  }
}

async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    // A test that takes write permission from a folder cannot be removed before it is given back.
    await makeWritable(path);
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function makeWritable(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await makeWritable(join(folder, entry.name));
  }
}
