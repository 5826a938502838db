import type { Backend, DockerDriver, SweepReport, SweepRequest } from '@forgejo-runner/core';
import { expect, it } from 'vitest';
import { fakeIo } from '../../test/fake-io.ts';
import { openProcessLog } from './process-log.ts';
import { sweepOrphans } from './sweep-orphans.ts';

const owner = { runner: 'r', boot: 'b' };

function no(): Promise<never> {
  return Promise.reject(new Error('not in this test'));
}

function backend(id: string, sweep: Backend['sweep']): Backend {
  return { id, sweep, resolveLabel: no, createEnvironment: no, health: no, [Symbol.asyncDispose]: async () => {} };
}

function logged() {
  const { io, stderr } = fakeIo();
  return {
    log: openProcessLog({ stream: io.stderr, level: 'info', mask: (text) => text, now: () => 0 }),
    text: stderr,
  };
}

const nothing: SweepReport = { removed: [], leaked: [], kept: [] };

it('asks every backend for what earlier boots of this runner left', async () => {
  const requests: SweepRequest[] = [];
  const sweep: Backend['sweep'] = async (request) => {
    requests.push(request);
    return nothing;
  };
  const { log, text } = logged();
  const backends = { all: () => [backend('a', sweep), backend('b', sweep)] };
  await sweepOrphans(backends, { owner, otherBoots: 'remove', log, keep: ['x'] }, new AbortController().signal);
  const request = { owner, otherBoots: 'remove', keep: ['x'], dryRun: false };
  expect(requests).toEqual([request, request]);
  expect(text()).toBe('');
});

it('logs what was removed, what was not, and what failed, and goes on', async () => {
  const { log, text } = logged();
  const backends = {
    all: () => [
      backend('a', async () => ({ removed: ['one'], leaked: [{ resource: 'two', error: 'busy' }], kept: [] })),
      backend('b', () => Promise.reject(new Error('away'))),
    ],
  };
  await sweepOrphans(backends, { owner, otherBoots: 'only-expired', log }, new AbortController().signal);
  expect(text().replaceAll(/^\S+ /gm, '').split('\n').toSorted()).toEqual([
    '',
    'INFO  removed what an earlier run left backend=a removed=["one"]',
    'WARN  could not look for what an earlier run left backend=b error="away"',
    'WARN  could not remove what an earlier run left backend=a resource=two error=busy',
  ]);
});

it('stops when it is told to', async () => {
  const stop = new AbortController();
  const { log, text } = logged();
  const waits = backend('a', (_, ctx) => {
    const { promise, reject } = Promise.withResolvers<SweepReport>();
    ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error));
    return promise;
  });
  const swept = sweepOrphans({ all: () => [waits] }, { owner, otherBoots: 'remove', log }, stop.signal);
  stop.abort(new Error('stop'));
  await expect(swept).rejects.toThrow('stop');
  expect(text()).toBe('');
});

it('has the driver sweep the engines of a backend, and then the backend', async () => {
  const order: string[] = [];
  const { log, text } = logged();
  const driver: DockerDriver = {
    api: 1,
    fields: [],
    open: no,
    sweep: async ({ address }, request) => {
      order.push(`${address} ${request.owner.boot} ${request.otherBoots}`);
      if (address.endsWith('dead')) throw new Error('no engine');
      return { removed: ['old'], leaked: [], kept: [] };
    },
  };
  const endpoint = { binds: 'target-paths', publishedHost: '127.0.0.1' } as const;
  const host: Backend = {
    ...backend('host', async () => {
      order.push('backend');
      return nothing;
    }),
    dockerEndpoints: async () => [
      { ...endpoint, address: 'unix:///alive' },
      { ...endpoint, address: 'unix:///dead' },
    ],
  };
  const options = { owner, otherBoots: 'remove', log, driver } as const;
  await sweepOrphans({ all: () => [host] }, options, new AbortController().signal);
  expect(order).toEqual(['unix:///alive b remove', 'unix:///dead b remove', 'backend']);
  expect(text()).toContain('removed what an earlier run left backend=host removed=["old"]');
  expect(text()).toContain('could not look for what an earlier run left backend=host');
});
