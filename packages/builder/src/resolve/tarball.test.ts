import { gzipSync } from 'node:zlib';
import { openTempFolder } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { readTarball } from './tarball.ts';

/** One file of a tar archive: header and padded content. */
function tarEntry(name: string, content: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(content.length.toString(8).padStart(11, '0'), 124);
  return Buffer.concat([header, Buffer.from(content), Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

async function read(bytes: Buffer): Promise<unknown> {
  await using folder = await openTempFolder();
  await folder.write({ 'x.tgz': bytes });
  return await readTarball(folder.join('x.tgz'));
}

const wanted = tarEntry('package/package.json', '{"name":"a","version":"1.0.0"}');

it('finds the package.json behind other files, however the folder is called', async () => {
  const before = tarEntry('package/index.js', 'x'.repeat(200_000));
  const nested = tarEntry('package/test/package.json', '{"name":"no","version":"0.0.0"}');
  const packed = gzipSync(Buffer.concat([before, nested, wanted, Buffer.alloc(1024)]));
  expect(await read(packed)).toEqual({ name: 'a', version: '1.0.0' });
  const other = tarEntry('my-folder/package.json', '{"name":"b","version":"2.0.0"}');
  expect(await read(gzipSync(other))).toEqual({ name: 'b', version: '2.0.0' });
});

it.each([
  ['is not compressed', Buffer.from('plain text'), 'it cannot be read as .tar.gz'],
  ['is cut off', gzipSync(wanted).subarray(0, 40), 'it cannot be read as .tar.gz'],
  ['has no package.json', gzipSync(Buffer.concat([tarEntry('package/a.js', 'x'), Buffer.alloc(1024)])), 'found none'],
  ['lies about sizes', gzipSync(Buffer.alloc(512, 'z')), 'it cannot be read as .tar.gz'],
  [
    'has a package.json without a name',
    gzipSync(tarEntry('package/package.json', '{}')),
    'expected a package.json with name and version',
  ],
  ['has a package.json that is no JSON', gzipSync(tarEntry('package/package.json', '{')), 'it cannot be read as JSON'],
])('refuses a file that %s', async (_, bytes, message) => {
  await expect(read(bytes)).rejects.toThrow(message);
});

it('refuses a file that is not there', async () => {
  await expect(readTarball('/nowhere/x.tgz')).rejects.toThrow('expected a packed package at /nowhere/x.tgz');
});
