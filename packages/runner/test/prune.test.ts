import { utimes } from 'node:fs/promises';
import {
  type Backend,
  type BackendFactory,
  BackendError,
  type DockerDriver,
  type FactoryRegistry,
  type PruneReport,
  type PruneRequest,
  type SweepRequest,
} from '@forgejo-runner/core';
import { eventually, openTempFolder, referenceBackend, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepPruned } from '../src/daemon/keep-pruned.ts';
import { pruneDaily } from '../src/daemon/prune-daily.ts';
import { openProcessLog } from '../src/daemon/process-log.ts';
import { main } from '../src/main.ts';
import { fakeIo } from './fake-io.ts';

let folder: TempFolder;

beforeEach(async () => {
  folder = await openTempFolder();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

const report: PruneReport = {
  removed: ['image a', 'image b'],
  leaked: [],
  freedBytes: 2_500_000,
  keptBytes: 10_000_000,
};
const exec = '11111111-1111-4111-8111-111111111111';
const daemon = '22222222-2222-4222-8222-222222222222';

interface Asked {
  readonly prunes: PruneRequest[];
  readonly sweeps: SweepRequest[];
}

/** A backend that keeps images. */
function keeping(
  id: string,
  answer: () => Promise<PruneReport> = async () => report,
): { readonly factory: BackendFactory; readonly asked: Asked } {
  const { factory } = referenceBackend();
  const asked: Asked = { prunes: [], sweeps: [] };
  const create: BackendFactory['create'] = async (input, ctx) => {
    const backend = await factory.create(input, ctx);
    return {
      ...backend,
      id,
      sweep: async (request) => {
        asked.sweeps.push(request);
        return { removed: ['container old'], leaked: [], kept: ['new'] };
      },
      prune: async (request) => {
        asked.prunes.push(request);
        return answer();
      },
      [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
    } satisfies Backend;
  };
  return { factory: { ...factory, id, create }, asked };
}

function registryOf(...factories: readonly BackendFactory[]): FactoryRegistry {
  return {
    register: () => {},
    get: (id) => factories.filter((factory) => factory.id === id).map((factory) => ({ factory }))[0],
    list: () => factories.map((factory) => ({ factory })),
  };
}

async function prune(factories: readonly BackendFactory[], args: readonly string[] = [], dockerDriver?: DockerDriver) {
  const env = { HOME: folder.path, XDG_STATE_HOME: folder.join('state'), XDG_CACHE_HOME: folder.join('cache') };
  const fake = fakeIo({ cwd: folder.path, env });
  const code = await main(['prune', ...args], fake.io, {
    factories: registryOf(...factories),
    ...(dockerDriver === undefined ? {} : { dockerDriver }),
  });
  return { code, stdout: fake.stdout(), stderr: fake.stderr() };
}

async function identity(...who: readonly ('exec' | 'daemon')[]): Promise<void> {
  if (who.includes('exec')) await folder.write({ 'state/forgejo-runner/exec/runner-id': `${exec}\n` });
  if (who.includes('daemon')) await folder.write({ [`state/forgejo-runner/runners/${daemon}/backends/.keep`]: '' });
}

/** An action that was fetched, last used so many days ago. */
async function action(sha: string, days: number): Promise<void> {
  const file = `cache/forgejo-runner/actions/repositories/one/${sha.repeat(40)}/used`;
  await folder.write({ [file]: '1000000' });
  const at = Date.now() / 1000 - days * 86_400;
  await utimes(folder.join(file), at, at);
}

describe('prune', () => {
  it('removes what runners of this user left and keep, for each of their identities', async () => {
    await identity('exec', 'daemon');
    const { factory, asked } = keeping('docker');
    await action('a', 40);
    await action('b', 1);
    const { code, stdout, stderr } = await prune([factory]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n').map((line) => line.trimEnd())).toEqual([
      'PLACE    OF      REMOVED  FREED   KEPT',
      'actions  all     1        1.0 MB  1.0 MB',
      'docker   exec    3        2.5 MB  10.0 MB',
      'docker   daemon  3        2.5 MB  10.0 MB',
      'actions: removed 1 commits of repositories with actions',
      ...Array.from({ length: 2 }, () => [
        'docker: removed container old',
        'docker: removed image a',
        'docker: removed image b',
      ]).flat(),
      '',
    ]);
    expect(asked.prunes.map(({ owner, ...rest }) => ({ ...rest, runner: owner.runner }))).toEqual([
      { dryRun: false, runner: exec },
      { dryRun: false, runner: daemon },
    ]);
    // Runners that work are left alone.
    expect(asked.sweeps).toMatchObject([{ otherBoots: 'only-expired' }, { otherBoots: 'only-expired' }]);
  });

  it('changes nothing with --dry-run, and makes no identity', async () => {
    const { factory, asked } = keeping('docker');
    await action('a', 40);
    expect((await prune([factory], ['--dry-run'])).stdout).toContain('actions: would remove 1 commits');
    expect(asked.prunes).toEqual([]);
    await identity('exec');
    expect((await prune([factory], ['-n'])).stdout).toContain('docker: would remove image a');
    expect([...asked.prunes, ...asked.sweeps].map(({ dryRun }) => dryRun)).toEqual([true, true]);
    expect((await prune([factory])).stdout).toContain('actions: removed 1 commits');
  });

  it('hands limits on, and refuses those that are none', async () => {
    await identity('exec');
    const { factory, asked } = keeping('docker');
    await action('b', 3);
    expect((await prune([factory], ['--unused', '48h', '--max-size', '20g'])).stdout).toContain('removed 1 commits');
    expect(asked.prunes).toMatchObject([{ unusedMs: 48 * 3_600_000, maxBytes: 20 * 1024 ** 3 }]);
    const { code, stderr } = await prune([factory], ['--unused', 'long', '--max-size', 'much']);
    expect(code).toBe(64);
    expect(stderr).toContain('expected a duration such as 48h after --unused, found "long"');
    expect(stderr).toContain('--max-size: expected a size such as 512m or 2g, found "much"');
  });

  it('answers as JSON', async () => {
    await identity('exec');
    const { stdout } = await prune([keeping('docker').factory], ['--json']);
    expect(JSON.parse(stdout)).toEqual({
      schema: 1,
      dryRun: false,
      places: [
        { place: 'actions', of: 'all', removed: [], leaked: [], freedBytes: 0, keptBytes: 0 },
        { place: 'docker', of: 'exec', ...report, removed: ['container old', ...report.removed] },
      ],
    });
  });

  it('goes on where one backend fails, and says so', async () => {
    await identity('exec');
    const failing = keeping('failing', () =>
      Promise.reject(new BackendError('unavailable', 'the engine is away', { hint: 'start it' })),
    );
    const stuck = keeping('stuck', async () => ({ ...report, leaked: [{ resource: 'image c', error: 'busy' }] }));
    const good = keeping('good');
    const { code, stdout, stderr } = await prune([failing.factory, stuck.factory, good.factory]);
    expect(code).toBe(1);
    expect(stderr).toBe('failing: the engine is away; start it\nstuck: cannot remove image c: busy\n');
    expect(stdout).toContain('good: removed image a');
  });

  it('opens what is configured under other names, and minds where that cannot be opened', async () => {
    await identity('exec');
    await folder.write({ 'config.yml': 'backend:\n  podman:\n    factory: docker\n' });
    const { factory, asked } = keeping('docker');
    const away: BackendFactory = {
      ...factory,
      id: 'away',
      create: () => Promise.reject(new BackendError('unavailable', 'no engine')),
    };
    const silent = await prune([factory, away], ['-c', 'config.yml']);
    expect(silent).toMatchObject({ code: 0, stderr: '' });
    expect(asked.prunes).toHaveLength(2);
    expect(silent.stdout).toMatch(/^podman /m);
    await folder.write({ 'config.yml': 'backend:\n  away: {}\n' });
    expect(await prune([factory, away], ['-c', 'config.yml'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no engine'),
    });
  });

  it('has the driver prune the engines that backends hand out', async () => {
    await identity('exec');
    const { factory } = referenceBackend();
    const endpoint = { address: 'unix:///e.sock', binds: 'none', publishedHost: '127.0.0.1' } as const;
    const handing: BackendFactory = {
      ...factory,
      create: async (input, ctx) => {
        const backend = await factory.create(input, ctx);
        return {
          ...backend,
          dockerEndpoints: async () => [endpoint],
          [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
        };
      },
    };
    const asked: unknown[] = [];
    const driver = {
      prune: async (...args: readonly unknown[]) => {
        asked.push(args[0]);
        return report;
      },
    } as unknown as DockerDriver;
    expect((await prune([handing], [], driver)).stdout).toContain('reference: removed image a');
    expect(asked).toEqual([endpoint]);
  });
});

describe('pruning by itself', () => {
  it('happens once a day, and is logged', async () => {
    const { io, stderr } = fakeIo();
    const log = openProcessLog({ stream: io.stderr, level: 'info', mask: (text) => text, now: () => 0 });
    const { factory, asked } = keeping('docker');
    const backend = await factory.create(
      { config: {}, owner: { runner: exec, boot: 'b' }, stateDir: folder.path, apiVersion: '1.0.0', addMask: () => {} },
      {} as never,
    );
    const run = () =>
      pruneDaily(
        { all: () => [backend] },
        { owner: { runner: exec, boot: 'b' }, stateDir: folder.path, log },
        new AbortController().signal,
      );
    await run();
    await run();
    expect(asked.prunes).toHaveLength(1);
    expect(stderr()).toContain(
      'removed what nobody used lately backend=docker removed=["image a","image b"] freedBytes=2500000',
    );
    const yesterday = Date.now() / 1000 - 90_000;
    await utimes(folder.join('pruned'), yesterday, yesterday);
    await run();
    expect(asked.prunes).toHaveLength(2);
  });

  it('happens beside a runner, and is broken off with it', async () => {
    const { io, stderr } = fakeIo();
    const log = openProcessLog({ stream: io.stderr, level: 'info', mask: (text) => text, now: () => 0 });
    const asked: PruneRequest[] = [];
    const slow = {
      id: 'docker',
      prune: (request, ctx) => {
        asked.push(request);
        return new Promise((_, reject) => {
          ctx.signal.addEventListener('abort', () => reject(new BackendError('cancelled', 'it was cancelled')));
        });
      },
    } satisfies Pick<Backend, 'id' | 'prune'>;
    const pruning = keepPruned(() => ({ all: () => [slow as unknown as Backend] }), {
      owner: { runner: daemon, boot: 'b' },
      stateDir: folder.path,
      log,
    });
    await eventually(() => asked.length === 1);
    await pruning[Symbol.asyncDispose]();
    expect(asked).toEqual([{ owner: { runner: daemon, boot: 'b' }, dryRun: false }]);
    expect(stderr()).toBe('');
  });
});
