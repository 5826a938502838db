import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { startLocalRegistry } from '../src/local-registry.ts';
import { openTempFolder } from '../src/temp-folder.ts';

it('serves what was published, and nothing else', async () => {
  await using folder = await openTempFolder();
  const dir = path.join(folder.path, 'package');
  await mkdir(dir);
  await writeFile(path.join(dir, 'package.json'), JSON.stringify({ name: '@acme/thing', version: '1.2.3' }));
  await using registry = await startLocalRegistry();
  await registry.publish(dir);
  const found = (await (await fetch(`${registry.url}/@acme%2fthing`)).json()) as { 'dist-tags': object };
  expect(found['dist-tags']).toEqual({ latest: '1.2.3' });
  expect((await fetch(`${registry.url}/left-pad`)).status).toBe(404);
});

it('is gone after disposing', async () => {
  const registry = await startLocalRegistry();
  await registry[Symbol.asyncDispose]();
  await expect(fetch(registry.url)).rejects.toThrow('fetch failed');
});
