import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SweepReport, SweepRequest } from '@forgejo-runner/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { callContext, countProcesses, openHost } from './host-fixture.ts';

let parent = '';
const children: ChildProcess[] = [];

beforeEach(async () => {
  parent = await mkdtemp(path.join(tmpdir(), 'host-sweep-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const runner of ['r1', 'r2']) await sweep({ owner: { runner, boot: 'none' } });
  await rm(parent, { recursive: true, force: true });
});

/** A runner in a process of its own, with two environments and processes that do not obey TERM. */
async function startRunner(runner: string, boot: string, mark: string): Promise<ChildProcess> {
  const program = path.join(import.meta.dirname, 'fixtures', 'crashing-runner.ts');
  const args = ['--conditions=@forgejo-runner/source', program, parent, runner, boot, mark];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await new Promise((resolve) => void child.stdout.once('data', resolve));
  await expect.poll(() => countProcesses(`sleep ${mark}`)).toBe(2);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => void child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

async function sweep(rest: Partial<SweepRequest> = {}): Promise<SweepReport> {
  const host = await openHost(parent, 'r1', 'now');
  return host.backend.sweep(
    { owner: { runner: 'r1', boot: 'now' }, keep: [], otherBoots: 'remove', dryRun: false, ...rest },
    callContext(),
  );
}

const names = async (): Promise<string[]> => (await readdir(parent)).filter((name) => name !== 'tool_cache').toSorted();
const paths = (...found: string[]): string[] => found.map((name) => path.join(parent, name));

it('ends the processes and removes the folders of a killed runner, and nothing of another', async () => {
  await startRunner('r2', 'alive', '801.5');
  await kill(await startRunner('r1', 'old', '802.5'));
  expect(countProcesses('sleep 802.5')).toBe(2);
  const report = await sweep();
  expect(report).toEqual({ removed: paths('r1-old-a', 'r1-old-b'), leaked: [], kept: [] });
  expect([countProcesses('sleep 802.5'), countProcesses('sleep 801.5')]).toEqual([0, 2]);
  expect(await names()).toEqual(['r2-alive-a', 'r2-alive-b']);
  expect(await sweep()).toEqual({ removed: [], leaked: [], kept: [] });
});

it('changes nothing when it is only asked what it would do', async () => {
  await kill(await startRunner('r1', 'old', '803.5'));
  const report = await sweep({ dryRun: true });
  expect(report).toEqual({ removed: paths('r1-old-a', 'r1-old-b'), leaked: [], kept: [] });
  expect([await names(), countProcesses('sleep 803.5')]).toEqual([['r1-old-a', 'r1-old-b'], 2]);
});

it('keeps what it is told to keep', async () => {
  await kill(await startRunner('r1', 'old', '804.5'));
  expect(await sweep({ keep: ['r1-old-a'] })).toEqual({ removed: paths('r1-old-b'), leaked: [], kept: ['r1-old-a'] });
  expect(countProcesses('sleep 804.5')).toBe(2);
});

it('leaves a living process of the same runner alone where several share the identity', async () => {
  await startRunner('r1', 'other', '805.5');
  await kill(await startRunner('r1', 'dead', '806.5'));
  const report = await sweep({ otherBoots: 'only-expired' });
  expect(report).toEqual({ removed: paths('r1-dead-a', 'r1-dead-b'), leaked: [], kept: ['r1-other-a', 'r1-other-b'] });
  expect([countProcesses('sleep 805.5'), countProcesses('sleep 806.5')]).toEqual([2, 0]);
});

it('takes a living process of the same runner where nobody shares the identity', async () => {
  await startRunner('r1', 'other', '807.5');
  expect((await sweep()).removed).toEqual(paths('r1-other-a', 'r1-other-b'));
  expect(countProcesses('sleep 807.5')).toBe(0);
});

it('removes what is expired, although its frozen process lives', async () => {
  const child = await startRunner('r1', 'frozen', '808.5');
  child.kill('SIGSTOP');
  const file = path.join(parent, 'r1-frozen-a', '.forgejo-runner-owner.json');
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), expiresAt: Date.now() - 1 }));
  const report = await sweep({ otherBoots: 'only-expired' });
  expect(report).toEqual({ removed: paths('r1-frozen-a'), leaked: [], kept: ['r1-frozen-b'] });
  expect(countProcesses('sleep 808.5')).toBe(0);
});

it('never touches what only looks like ours', async () => {
  for (const name of [
    'job-1',
    'checkout',
    '.making.x',
    '.making.0123456789abcdef.1.30.0123456789ab',
    'Other',
    'tool_cache',
  ]) {
    await mkdir(path.join(parent, name, 'inside'), { recursive: true });
  }
  await writeFile(path.join(parent, 'job-1', '.forgejo-runner-owner.json'), '{"version":1,"owner":{"runner":"r1"}}');
  const before = await names();
  expect(await sweep()).toEqual({ removed: [], leaked: [], kept: [] });
  expect(await names()).toEqual(before);
});

it('keeps environments that live in this process, and removes what it failed to remove before', async () => {
  const host = await openHost(parent, 'r1', 'now');
  const living = await host.create('living');
  const request: SweepRequest = { owner: { runner: 'r1', boot: 'now' }, keep: [], otherBoots: 'remove', dryRun: false };
  expect(await host.backend.sweep(request, callContext())).toEqual({ removed: [], leaked: [], kept: ['living'] });
  const again = await openHost(parent, 'r1', 'now');
  expect((await again.backend.sweep(request, callContext())).removed).toEqual(paths('living'));
  expect(await living.remove(callContext())).toMatchObject({ leaked: [] });
});

it('removes a folder whose making broke off, whenever that was', async () => {
  const child = await startRunner('r1', 'old', '809.5');
  const { pid } = child;
  await kill(child);
  const { createHash } = await import('node:crypto');
  const key = createHash('sha256').update('r1').digest('hex').slice(0, 16);
  const empty = `.making.${key}.${pid}.31.0123456789ab`;
  await mkdir(path.join(parent, empty));
  const report = await sweep();
  expect(report.removed).toContain(path.join(parent, empty));
  expect(await names()).toEqual([]);
});
