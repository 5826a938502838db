import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { type LocalRegistry, startLocalRegistry } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { publishVariant } from './publish-variant.ts';
import { listBackends, openWorkplace, untilEnd, withFixtureRunner } from './run-builder.ts';

let registry: LocalRegistry;

beforeAll(async () => {
  registry = await startLocalRegistry();
  await publishVariant(registry, 'good');
}, 120_000);
afterAll(() => registry[Symbol.asyncDispose]());

it('leaves a usable cache wherever it is killed', async () => {
  await using workplace = await openWorkplace({ npmrc: await readFile(registry.npmrc, 'utf8') });
  const args = [...withFixtureRunner, '--with', '@acme/backend-good@1.0.0', '--output', 'runner.mjs'];
  let killed = 0;
  // From before npm is called to after the bundle is there: each round a little later, until one gets to its end.
  for (let round = 0; round < 25; round += 1) {
    const child = workplace.start(...args);
    const ended = untilEnd(child);
    await Promise.race([wait(round * 150), ended]);
    if (child.exitCode !== null) break;
    child.kill('SIGKILL');
    // npm is a child of its own and may go on for a moment, into folders that nobody will use.
    await ended;
    killed += 1;
  }
  expect(killed).toBeGreaterThan(0);
  const { code, stderr } = await workplace.build(...args);
  expect(stderr).not.toContain('FRB');
  expect(code).toBe(0);
  expect(await listBackends(workplace.project.join('runner.mjs'))).toEqual(['good']);
  expect((await workplace.build('cache', 'verify')).stdout).toContain('0 damaged');
  expect((await workplace.build('cache', 'prune')).code).toBe(0);
  const left = await readdir(workplace.cacheDir, { recursive: true });
  expect(left.filter((name) => /\.(?:tmp|lock|broken)$/.test(name) || name.startsWith('work/'))).toEqual([]);
  expect((await readdir(workplace.project.path)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});
