import { expect, it } from 'vitest';
import { loadWorkflowCases } from './workflow-cases.ts';

const cases = loadWorkflowCases();

it('finds the cases with their workflow and the shared actions', () => {
  const found = cases.find((one) => one.name === 'actions/inputs');
  expect(found?.files[found.workflow]).toContain('uses: ./actions/greet');
  expect(found?.files['actions/greet/action.yml']).toContain('using: composite');
  expect(cases.length).toBeGreaterThan(100);
});

it('gives every case a title of its own and needs that runners of the cases know', () => {
  const known = ['bash', 'containers', 'node', 'no-bash', 'no-containers', 'posix', 'pwsh', 'python'];
  expect(new Set(cases.map((one) => one.title)).size).toBe(cases.length);
  expect(cases.flatMap((one) => one.needs).filter((need) => !known.includes(need))).toEqual([]);
  expect(cases.filter((one) => one.needs.length === 0).map((one) => one.name)).toEqual([]);
});

it('expects something of every case', () => {
  const vacuous = cases.filter(({ expect: { jobs, messages } }) => jobs.length === 0 && messages.length === 0);
  expect(vacuous.map((one) => one.name)).toEqual([]);
});

it('asks for no row of a step that may not run', () => {
  const wrong = cases.filter(({ expect: { jobs } }) =>
    jobs.some((job) => job.steps.some((step) => step.outcome === 'skipped' && step.lines.length > 0)),
  );
  expect(wrong.map((one) => one.name)).toEqual([]);
});
