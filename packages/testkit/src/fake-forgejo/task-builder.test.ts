import { expect, it } from 'vitest';
import { buildJob } from './task-builder.ts';

it('makes a workflow of a job', () => {
  const built = buildJob({ id: 'build', workflow: `\n    runs-on: [a, b]\n    steps:\n      - run: echo\n` });
  expect(built).toMatchObject({ id: 'build', runsOn: ['a', 'b'], steps: 1, hasCondition: false });
  const text = new TextDecoder().decode(built.payload);
  expect(text).toContain('jobs:\n  build:\n    runs-on:');
  expect(text).toMatch(/^on: push$/m);
});

it('leaves a whole workflow as it is', () => {
  const workflow = 'name: W\non: push # comment\njobs: { x: { runs-on: { labels: linux }, if: always() } }';
  const built = buildJob({ workflow });
  expect(built).toMatchObject({ id: 'x', runsOn: ['linux'], workflowName: 'W', steps: 0, hasCondition: true });
  expect(new TextDecoder().decode(built.payload)).toBe(workflow);
});

it('hands out bytes that nobody can read', () => {
  const payload = Uint8Array.of(0xff);
  expect(buildJob({ workflow: payload, runsOn: ['linux'] })).toMatchObject({ payload, runsOn: ['linux'] });
});

it('says that a workflow has no job to hand out', () => {
  expect(() => buildJob({ workflow: 'jobs: {}' })).toThrow(/expected one job/);
  expect(() => buildJob({ workflow: 'steps: []' })).toThrow(/runs-on/);
});
