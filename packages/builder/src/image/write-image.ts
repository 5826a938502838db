import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { writeOutput } from '../store/write-output.ts';
import { hashFile } from '../store/sums.ts';
import { UserError } from '../user-error.ts';

/**
 * Writes an image: one archive when the name ends in `.tar`, which `docker load`, `podman load` and tools for OCI archives take;
 * else a folder, an OCI layout. Returns the checksum of the archive, or of `index.json`, which has those of all the rest.
 *
 * @throws UserError `FRB602`
 */
export async function writeImage(
  destination: string,
  files: ReadonlyMap<string, Buffer>,
  workDir: string,
): Promise<string> {
  if (destination.endsWith('.tar')) {
    const finished = path.join(workDir, 'image.tar');
    const archive = pack();
    const writing = pipeline(archive, createWriteStream(finished));
    for (const [name, content] of files)
      archive.entry({ name, mtime: new Date(0), uid: 0, gid: 0, mode: 0o644 }, content);
    archive.finalize();
    await writing;
    const sum = await hashFile(finished);
    await writeOutput(destination, finished, 0o644);
    return sum;
  }
  const there: readonly string[] = await readdir(destination).catch(() => []);
  if (there.length > 0 && !there.includes('oci-layout')) {
    throw new UserError('FRB602', `${destination} has something in it that is no image`);
  }
  await rm(path.join(destination, 'blobs'), { recursive: true, force: true });
  for (const [name, content] of files) {
    const file = path.join(destination, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
  }
  return createHash('sha256')
    .update(files.get('index.json') ?? '')
    .digest('hex');
}
