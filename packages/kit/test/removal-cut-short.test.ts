import type * as FsPromises from 'node:fs/promises';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, vi } from 'vitest';
import { makeOwnedFolder, removeOwnedFolder } from '../src/owned-folders.ts';
import type { OwnerFile } from '../src/owner-file.ts';
import { type IdentitySource, ownIdentity, thisMachine } from '../src/process-identity.ts';
import { sweepOwnedFolders } from '../src/sweep-folders.ts';

/** So many calls that change the disk are still made; then the process is dead. */
const life = vi.hoisted(() => ({ calls: Number.POSITIVE_INFINITY }));

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof FsPromises>();
  const mortal =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      life.calls -= 1;
      if (life.calls < 0) throw new Error('the process is dead');
      return call(...args);
    };
  return { ...real, rm: mortal(real.rm), rmdir: mortal(real.rmdir), rename: mortal(real.rename) };
});

async function sweep(parent: string, machine: IdentitySource): Promise<void> {
  const place = { parent, machine, living: new Set<string>(), isMaking: () => false, remove: removeOne };
  const request = { owner: { runner: 'r', boot: 'next' }, keep: [], otherBoots: 'remove', dryRun: false } as const;
  await sweepOwnedFolders(place, request);
}

async function removeOne(folder: string) {
  const { isRemoved, error = '' } = await removeOwnedFolder(folder);
  return isRemoved ? { removed: [folder], leaked: [] } : { removed: [], leaked: [{ resource: folder, error }] };
}

it('leaves what the next sweep removes, whenever the process that removes a folder dies', async () => {
  const machine = thisMachine();
  const content: OwnerFile = {
    version: 1,
    name: 'job-1',
    owner: { runner: 'r', boot: 'b' },
    process: await ownIdentity(machine),
    marker: 'ab'.repeat(16),
    expiresAt: Date.now() + 60_000,
  };
  const parent = await mkdtemp(path.join(tmpdir(), 'cut-short-'));
  const lived: number[] = [];
  for (let calls = 0; lived.length === 0; calls += 1) {
    const folder = await makeOwnedFolder(parent, content, async (draft) => {
      for (const name of ['workspace', 'temp']) {
        await mkdir(path.join(draft, name));
        await writeFile(path.join(draft, name, 'file'), 'x');
      }
    });
    life.calls = calls;
    const { isRemoved } = await removeOwnedFolder(folder);
    life.calls = Number.POSITIVE_INFINITY;
    if (isRemoved) lived.push(calls);
    await sweep(parent, machine);
    expect({ calls, left: await readdir(parent) }).toEqual({ calls, left: [] });
  }
  // Each folder, the new name, and the rest.
  expect(lived[0]).toBeGreaterThanOrEqual(4);
  await rm(parent, { recursive: true });
});
