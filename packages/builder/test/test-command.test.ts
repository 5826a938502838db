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

it('tells check by check how a backend does, and writes its verdict', async () => {
  await place.project.write({
    'suite.json': JSON.stringify({
      config: { workdir_parent: place.project.join('jobs') },
      exceptions: Object.fromEntries(slow.map((id) => [id, 'too slow here'])),
    }),
  });
  const ended = await place.build('test', host, '--config', 'suite.json', '--verdict', 'verdict.json');
  expect(ended.stderr).toContain('Check types against the API');
  expect(ended.stdout).toContain('✔ C31 the last line arrives');
  expect(ended.stdout).toContain('known not to pass: too slow here');
  const verdict: unknown = JSON.parse(await readFile(place.project.join('verdict.json'), 'utf8'));
  expect(verdict).toMatchObject({ backend: 'host', label: 'test:host', isPassed: true, failed: 0, lane: 'quick' });
  expect(ended.code).toBe(0);
});

it('ends with 7 where a check failed, and says which', async () => {
  const ended = await place.build('test', fixture('good'), '--log-format', 'json');
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
