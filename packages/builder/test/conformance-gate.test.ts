import { readdir, readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Ended, fixture, openWorkplace, runBuilt, type Workplace, withFixtureRunner } from './run-builder.ts';

let place: Workplace;
let output: string;

/** What takes seconds is checked where the backend is. */
const slow = ['C27', 'C32', 'C33', 'C36', 'C38', 'C39', 'C43', 'C44', 'C52', 'C55', 'C92'];

beforeAll(async () => {
  place = await openWorkplace();
  output = place.project.join('runner.mjs');
  const options = {
    config: { workdir_parent: place.project.join('jobs') },
    exceptions: Object.fromEntries(slow.map((id) => [id, 'too slow here'])),
    runner: { topics: ['dispatch/'] },
  };
  await place.project.write({ 'suite.json': JSON.stringify(options) });
});
afterAll(() => place[Symbol.asyncDispose]());

function gate(...flags: readonly string[]): Promise<Ended> {
  const config = '@forgejo-runner/backend-host=suite.json';
  return place.build('--output', output, '--conformance', '--conformance-config', config, ...flags);
}

it('puts the backends through the suite on the built runner, which tells of it', async () => {
  const { code, stderr } = await gate();
  expect(stderr).toMatch(/✔ Put the backends .* @forgejo-runner\/backend-host \d+ passed, \d+ skipped/);
  expect(code).toBe(0);
  const { stdout } = await runBuilt(output, 'list-backends', '--json');
  const { backends } = JSON.parse(stdout) as { backends: { id: string; conformance: Record<string, unknown> }[] };
  expect(backends[0]).toMatchObject({
    id: 'host',
    conformance: { lane: 'quick', label: 'test:host', failed: 0, platform: expect.stringContaining('linux') as string },
  });
  expect(backends[0]?.conformance['passed']).toBeGreaterThan(10);
  expect(backends[0]?.conformance['skipped']).toMatchObject({
    C27: expect.stringContaining('too slow here') as string,
  });
  // Neither built nor put through it again.
  expect((await gate()).stdout).toMatch(/^unchanged /);
}, 300_000);

it('writes nothing when a backend does not pass, and says which checks failed', async () => {
  await writeFile(output, 'the earlier one');
  const flags = [...withFixtureRunner, '--with', fixture('good'), '--output', output, '--conformance'];
  const { code, stderr } = await place.build(...flags);
  expect(stderr).toMatch(
    /FRB523 expected @acme\/backend-good to pass, found (?:C\d+(?:, )?)+ failed; nothing was written/,
  );
  expect(code).toBe(7);
  expect(await readFile(output, 'utf8')).toBe('the earlier one');
  expect(await readdir(`${place.cacheDir}/work`)).toEqual([]);
});

it('refuses options for a package that is not in the runner', async () => {
  const { code, stderr } = await gate('--conformance-config', '@acme/other=suite.json');
  expect(stderr).toContain(
    'FRB209 --conformance-config: expected one of @forgejo-runner/backend-host, found @acme/other',
  );
  expect(code).toBe(2);
});
