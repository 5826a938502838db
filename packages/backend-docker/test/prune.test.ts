import { utimes } from 'node:fs/promises';
import type { PruneReport } from '@forgejo-runner/core';
import { callContext, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { pack } from 'tar-stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DockerEndpoint, openDockerEndpoint } from '../src/driver/endpoint.ts';
import { ImageRecords } from '../src/driver/image-records.ts';
import { imageSource } from '../src/driver/image-source.ts';
import { pruneImages } from '../src/driver/prune-images.ts';
import { docker, hasEngine, newName, socketPath } from './docker-fixture.ts';
import { startRegistry, type TestRegistry } from './registry-fixture.ts';

const hourMs = 3_600_000;
let registry: TestRegistry;
let endpoint: DockerEndpoint;
let folder: TempFolder;
let owner: { readonly runner: string; readonly boot: string };
const left = new Set<string>();

const records = (): ImageRecords => new ImageRecords(folder.join('state'));
const source = (runner = owner) =>
  imageSource(endpoint, { request: { name: newName(), owner: runner }, stateDir: folder.join('state') });

async function pull(tag: string, content = tag): Promise<string> {
  await registry.put(`app:${tag}`, { content });
  const image = `${registry.host}/app:${tag}`;
  left.add(image);
  await source().provide({ image, pull: 'missing', options: {} }, callContext());
  return image;
}

async function build(content: string, runner = owner): Promise<string> {
  const archive = pack();
  archive.entry({ name: 'Dockerfile' }, 'FROM scratch\nCOPY a /\n');
  archive.entry({ name: 'a' }, content);
  archive.finalize();
  const { image } = await source(runner).build(
    {
      context: archive as unknown as AsyncIterable<Uint8Array>,
      dockerfile: 'Dockerfile',
      tag: 'forgejo-runner-action:x',
      buildArgs: {},
      output: () => {},
    },
    callContext(),
  );
  left.add(image);
  return image;
}

/** Everything was last used so long ago. */
async function age(hours: number, name?: string): Promise<void> {
  const at = (Date.now() - hours * hourMs) / 1000;
  for (const record of await records().list()) {
    if (name === undefined || record.name === name || record.id === name) await utimes(record.file, at, at);
  }
}

async function prune(
  rest: { readonly unusedMs?: number; readonly maxBytes?: number; readonly dryRun?: boolean } = {},
): Promise<PruneReport> {
  return pruneImages(
    endpoint,
    { owner, dryRun: false, ...rest },
    { records: records(), unusedMs: 24 * hourMs },
    callContext(),
  );
}

function isThere(image: string): boolean {
  try {
    docker('inspect', '--type', 'image', image);
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!hasEngine)('pruning', () => {
  beforeAll(async () => {
    registry = await startRegistry();
    endpoint = await openDockerEndpoint(
      { address: `unix://${socketPath}`, binds: 'target-paths', publishedHost: '127.0.0.1' },
      callContext(),
    );
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    await endpoint[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    folder = await openTempFolder();
    owner = { runner: `runner-${newName()}`, boot: 'b' };
    vi.stubEnv('DOCKER_CONFIG', folder.join('docker'));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    for (const image of left) if (isThere(image)) docker('rmi', '-f', image);
    left.clear();
    await folder[Symbol.asyncDispose]();
  });

  it('removes what was built or pulled and not used for long', async () => {
    const [old, built] = [await pull('old'), await build('old')];
    await age(25);
    const used = await pull('used');
    expect(await prune({ dryRun: true })).toMatchObject({
      removed: [expect.stringContaining('image '), expect.stringContaining('image ')],
    });
    expect([old, built, used].map(isThere)).toEqual([true, true, true]);
    const report = await prune();
    expect(report.removed.toSorted()).toEqual([
      `image ${old}`,
      expect.stringMatching(/^image forgejo-runner-action:[0-9a-f]{40}$/),
    ]);
    expect(report.freedBytes).toBeGreaterThan(0);
    expect([old, built, used].map(isThere)).toEqual([false, false, true]);
    expect(await prune()).toMatchObject({ removed: [], leaked: [] });
  });

  it('leaves the images of others, also of another runner', async () => {
    const theirs = `${registry.host}/app:theirs`;
    await registry.put('app:theirs', { content: 'theirs' });
    docker('pull', theirs);
    left.add(theirs);
    // A job of ours used it, and pulled it anew: it was there before.
    await source().provide({ image: theirs, pull: 'always', options: {} }, callContext());
    const other = await build('other', { runner: `runner-${newName()}`, boot: 'b' });
    await age(1000);
    expect(await prune({ unusedMs: 0 })).toMatchObject({ removed: [], leaked: [] });
    expect([theirs, other].map(isThere)).toEqual([true, true]);
  });

  it('leaves an image that somebody else put under the same name meanwhile', async () => {
    const image = await pull('moved');
    const other = await pull('elsewhere');
    docker('tag', other, image);
    await age(1000, image);
    expect(await prune()).toMatchObject({ removed: [] });
    expect(isThere(image)).toBe(true);
  });

  it('leaves what a container is made of', async () => {
    const image = await pull('busy');
    const container = docker('create', image, 'x');
    await age(1000);
    expect(await prune()).toMatchObject({ removed: [], leaked: [] });
    docker('rm', container);
    expect((await prune()).removed).toEqual([`image ${image}`]);
  });

  it('keeps no more than so many bytes, those used last', async () => {
    const images = [
      await pull('one', '1'.repeat(50_000)),
      await pull('two', '2'.repeat(50_000)),
      await pull('three', '3'.repeat(50_000)),
    ] as const;
    for (const [at, image] of images.entries()) await age(5 - at, image);
    const report = await prune({ maxBytes: 120_000 });
    expect(report).toMatchObject({ removed: [`image ${images[0]}`], keptBytes: expect.any(Number) });
    expect(report.keptBytes).toBeLessThanOrEqual(120_000);
  });

  it('leaves what was used a moment ago, whatever the limits say', async () => {
    await pull('now');
    expect(await prune({ unusedMs: 0, maxBytes: 0 })).toMatchObject({ removed: [] });
  });
});
