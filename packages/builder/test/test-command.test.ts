import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fixture, openWorkplace, type Workplace } from './run-builder.ts';

const host = fileURLToPath(new URL('../../backend-host', import.meta.url));
let place: Workplace;

beforeAll(async () => {
  place = await openWorkplace();
});
afterAll(() => place[Symbol.asyncDispose]());

/** What takes seconds is checked where the backend is. */
const slow = ['C27', 'C32', 'C33', 'C36', 'C38', 'C39', 'C43', 'C44', 'C52', 'C55'];

it('tells check by check how a backend does, and writes its verdict', { timeout: 300_000 }, async () => {
  await place.project.write({
    'suite.json': JSON.stringify({
      config: { workdir_parent: place.project.join('jobs') },
      exceptions: Object.fromEntries(slow.map((id) => [id, 'too slow here'])),
      runner: { topics: ['env/', 'run/'] },
    }),
  });
  const ended = await place.build('test', host, '--config', 'suite.json', '--verdict', 'verdict.json');
  expect(ended.stderr).toContain('Check types against the API');
  expect(ended.stdout).toContain('✔ C31 the last line arrives');
  expect(ended.stdout).toContain('known not to pass: too slow here');
  const verdict = await readVerdict('verdict.json');
  expect(verdict).toMatchObject({ backend: 'host', label: 'test:host', isPassed: true, failed: 0, lane: 'quick' });
  // On a runner that was built for it.
  const workflows = verdict.checks.find(({ id }) => id === 'C94');
  expect(workflows).toMatchObject({ status: 'passed' });
  expect(workflows?.measured?.['workflows']).toBe(4);
  expect(ended.code).toBe(0);
});

it('runs workflows on the runner that is given, or on none', async () => {
  const { checks } = await readVerdict('verdict.json');
  const others = checks.filter(({ id }) => id !== 'C94').map(({ id }) => [id, 'not asked here']);
  await place.project.write({
    'workflows.json': JSON.stringify({ exceptions: Object.fromEntries(others), runner: { topics: ['env/'] } }),
    'no-runner.mjs': 'process.exit(0);',
  });
  const given = await place.build('test', host, '--config', 'workflows.json', '--runner', 'no-runner.mjs');
  expect([given.code, given.stdout]).toEqual([7, expect.stringMatching(/✖ C94 .*\n.* of \d+ workflows:\n/)]);
  const none = await place.build('test', host, '--config', 'workflows.json', '--no-runner');
  expect([none.code, none.stdout]).toEqual([0, expect.stringContaining('needs the option "runner"')]);
});

async function readVerdict(name: string): Promise<{
  readonly checks: readonly { readonly id: string; readonly measured?: Readonly<Record<string, number>> }[];
}> {
  // As the reference describes it.
  return JSON.parse(await readFile(place.project.join(name), 'utf8')) as Awaited<ReturnType<typeof readVerdict>>;
}

it('ends with 7 where a check failed, and says which', async () => {
  const ended = await place.build('test', fixture('good'), '--no-runner', '--log-format', 'json');
  expect(ended.code).toBe(7);
  const lines = ended.stdout.split('\n').filter(Boolean);
  // Each line is an object of the shape that the reference describes.
  const events = lines.map((line) => JSON.parse(line) as { event: string; code?: string });
  expect(events.map(({ event }) => event)).toContain('check');
  expect(events.find(({ event }) => event === 'tested')).toMatchObject({ verdict: { isPassed: false } });
  expect(events.at(-1)).toMatchObject({ event: 'error', code: 'FRB523' });
});

it('says why the suite could not run', async () => {
  await place.project.write({ 'no-options.mjs': 'export const other = 1;' });
  const ended = await place.build('test', host, '--config', 'no-options.mjs');
  expect([ended.code, ended.stderr]).toEqual([7, expect.stringContaining('FRB522')]);
  expect(ended.stderr).toContain('export "conformance"');
});
