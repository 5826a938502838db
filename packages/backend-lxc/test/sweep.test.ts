import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SweepReport, SweepRequest } from '@forgejo-runner/core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { callContext, openLxc, processesWith, whyNoLxc } from './lxc-fixture.ts';

let storage = '';
const children: ChildProcess[] = [];

/** A runner in a process of its own, with two containers. */
async function startRunner(runner: string, boot: string, mark: string): Promise<ChildProcess> {
  const program = path.join(import.meta.dirname, 'fixtures', 'crashing-runner.ts');
  const args = ['--conditions=@forgejo-runner/source', program, storage, runner, boot, mark];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await new Promise((resolve) => void child.stdout.once('data', resolve));
  await expect.poll(() => processesWith(`sleep ${mark}`).length, { timeout: 20_000 }).toBeGreaterThan(0);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => void child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

async function sweep(rest: Partial<SweepRequest> = {}): Promise<SweepReport> {
  const { backend } = await openLxc(storage, { runner: 'r1', boot: 'now' });
  return backend.sweep(
    { owner: { runner: 'r1', boot: 'now' }, keep: [], otherBoots: 'remove', dryRun: false, ...rest },
    callContext(),
  );
}

const jobs = async (): Promise<string[]> => (await readdir(path.join(storage, 'jobs'))).toSorted();
const paths = (...names: string[]): string[] => names.map((name) => path.join(storage, 'jobs', name));

describe.skipIf(whyNoLxc !== undefined)(`sweeps of LXC${whyNoLxc === undefined ? '' : `: ${whyNoLxc}`}`, () => {
  beforeAll(async () => {
    storage = await mkdtemp(path.join(tmpdir(), 'lxc-sweep-'));
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    for (const runner of ['r1', 'r2']) await sweep({ owner: { runner, boot: 'none' } });
  });
  afterAll(() => rm(storage, { recursive: true, force: true }));

  it('removes the containers of a killed runner, and none of another', async () => {
    await startRunner('r2', 'alive', '7021.5');
    await kill(await startRunner('r1', 'old', '7022.5'));
    expect(processesWith('sleep 7022.5').length).toBeGreaterThan(0);
    expect(await sweep({ dryRun: true })).toEqual({ removed: paths('r1-old-a', 'r1-old-b'), leaked: [], kept: [] });
    expect(await jobs()).toEqual(['r1-old-a', 'r1-old-b', 'r2-alive-a', 'r2-alive-b']);
    expect(await sweep()).toEqual({ removed: paths('r1-old-a', 'r1-old-b'), leaked: [], kept: [] });
    expect(processesWith('sleep 7022.5')).toEqual([]);
    expect(processesWith('r1-old-')).toEqual([]);
    expect(processesWith('sleep 7021.5').length).toBeGreaterThan(0);
    expect(await jobs()).toEqual(['r2-alive-a', 'r2-alive-b']);
    expect(await sweep()).toEqual({ removed: [], leaked: [], kept: [] });
  });

  it('keeps what it is told to keep, and a living runner of the same name where several share it', async () => {
    await startRunner('r1', 'other', '7023.5');
    expect(await sweep({ keep: ['r1-other-a'], otherBoots: 'only-expired' })).toEqual({
      removed: [],
      leaked: [],
      kept: ['r1-other-a', 'r1-other-b'],
    });
    expect(await sweep({ keep: ['r1-other-a'] })).toEqual({
      removed: paths('r1-other-b'),
      leaked: [],
      kept: ['r1-other-a'],
    });
  });

  it('ends a container whose monitor is gone as well', async () => {
    await kill(await startRunner('r1', 'old', '7024.5'));
    for (const line of processesWith('[lxc monitor]')) {
      if (!line.includes('r1-old-')) continue;
      execFileSync('pkill', ['-KILL', '-f', `lxc monitor.*${line.trim().split(' ').at(-1)}$`]);
    }
    expect((await sweep()).leaked).toEqual([]);
    await expect.poll(() => processesWith('sleep 7024.5'), { timeout: 20_000 }).toEqual([]);
    expect(await jobs()).toEqual([]);
  });
});
