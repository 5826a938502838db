import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { restoreCache, saveCache } from '@actions/cache';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openTestCache, type TestCache, type TestJob } from './open-test-cache.ts';

// The real client of actions/cache, as a job would run it.

let opened: TestCache;
let workspace: TempFolder;
let said: string[];

beforeEach(async () => {
  said = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0);
  opened = await openTestCache();
  workspace = await openTempFolder();
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await workspace[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

/** The environment of a step. Only on a server that it takes for GitHub the client speaks the second API. */
function enter(job: TestJob, api: 'v1' | 'v2'): void {
  vi.stubEnv('GITHUB_WORKSPACE', workspace.path);
  vi.stubEnv('RUNNER_TEMP', workspace.join('temp'));
  vi.stubEnv('GITHUB_SERVER_URL', api === 'v1' ? 'https://codeberg.org' : 'https://github.com');
  vi.stubEnv('ACTIONS_CACHE_URL', job.url);
  vi.stubEnv('ACTIONS_RESULTS_URL', new URL('/', job.url).href);
  vi.stubEnv('ACTIONS_RUNTIME_TOKEN', job.bearer);
  vi.stubEnv('ACTIONS_CACHE_SERVICE_V2', api === 'v1' ? '' : 'true');
}

async function fill(name: string, content: string | Uint8Array): Promise<string> {
  await mkdir(workspace.join('data'), { recursive: true });
  await mkdir(workspace.join('temp'), { recursive: true });
  const path = join(workspace.path, 'data', name);
  await writeFile(path, content);
  return workspace.join('data');
}

for (const api of ['v1', 'v2'] as const) {
  it(`saves and restores with ${api}`, async () => {
    enter(opened.job(), api);
    const folder = await fill('a.txt', 'kept');
    expect(await saveCache([folder], 'node-abc')).toBeGreaterThan(0);
    await rm(folder, { recursive: true });
    enter(opened.job(), api);
    expect(await restoreCache([folder], 'node-abc')).toBe('node-abc');
    expect(await readFile(join(folder, 'a.txt'), 'utf8')).toBe('kept');
  });

  it(`restores what a key begins with, the newest, with ${api}`, async () => {
    enter(opened.job(), api);
    const folder = await fill('a.txt', 'old');
    await saveCache([folder], 'node-1');
    await fill('a.txt', 'new');
    await saveCache([folder], 'node-2');
    await rm(folder, { recursive: true });
    expect(await restoreCache([folder], 'node-3', ['none-', 'node-'])).toBe('node-2');
    expect(await readFile(join(folder, 'a.txt'), 'utf8')).toBe('new');
  });

  it(`finds nothing for another key or other paths with ${api}`, async () => {
    enter(opened.job(), api);
    const folder = await fill('a.txt', 'kept');
    await saveCache([folder], 'node-abc');
    expect(await restoreCache([folder], 'ruby')).toBeUndefined();
    expect(await restoreCache([`${folder}2`], 'node-abc')).toBeUndefined();
  });

  it(`only looks with ${api}`, async () => {
    enter(opened.job(), api);
    const folder = await fill('a.txt', 'kept');
    await saveCache([folder], 'node-abc');
    await rm(folder, { recursive: true });
    expect(await restoreCache([folder], 'node-abc', [], { lookupOnly: true })).toBe('node-abc');
    await expect(readFile(join(folder, 'a.txt'))).rejects.toThrow('ENOENT');
  });

  it(`keeps the first entry of a key with ${api}`, async () => {
    enter(opened.job(), api);
    const folder = await fill('a.txt', 'first');
    await saveCache([folder], 'k');
    await fill('a.txt', 'second');
    expect(await saveCache([folder], 'k')).toBe(-1);
    await restoreCache([folder], 'k');
    expect(await readFile(join(folder, 'a.txt'), 'utf8')).toBe('first');
  });

  it(`takes nothing from a job that may only read with ${api}`, async () => {
    enter(opened.job({}, { mayWrite: false }), api);
    expect(await saveCache([await fill('a.txt', 'kept')], 'k')).toBe(-1);
    expect(said.join('')).toContain('cache write denied');
  });

  it(`takes contents of many chunks, several at a time, with ${api}`, async () => {
    // Chunks are small as the client can: one MiB.
    enter(opened.job(), api);
    vi.stubEnv('CACHE_UPLOAD_CHUNK_SIZE', '1');
    const content = randomBytes(20 * 1024 * 1024);
    const folder = await fill('big', content);
    expect(await saveCache([folder], 'big')).toBeGreaterThan(0);
    await rm(folder, { recursive: true });
    expect(await restoreCache([folder], 'big')).toBe('big');
    expect(content.equals(await readFile(join(folder, 'big')))).toBe(true);
  });
}
