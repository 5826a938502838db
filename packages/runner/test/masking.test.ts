import { expect, it } from 'vitest';
import { type RanYaml, runSteps, runYaml } from './run-yaml.ts';

const secrets = { PASS: 'hunter2-and-more', JSON: '{"user":"hunter3-and-more",' };

/** Everything that a report was told. */
function told(run: RanYaml): string {
  return JSON.stringify(run.jobs) + JSON.stringify(run.logged);
}

it.each<[string, string, string?]>([
  ['output', '- run: echo ${{ secrets.PASS }}; echo ${{ secrets.PASS }} >&2'],
  ['a step name', '- run: "true"\n  name: with ${{ secrets.PASS }}'],
  ['the name of a step that is skipped', '- run: "true"\n  if: false\n  name: with ${{ secrets.PASS }}'],
  ['a job name', '- run: "true"', 'name: with ${{ secrets.PASS }}'],
  ['a reason', '- run: "true"\n  working-directory: ${{ secrets.PASS }}'],
  [
    'a reason that is cut',
    `- run: "true"\n  working-directory: ${'x'.repeat(60)}/${'y'.repeat(60)}/\${{ secrets.PASS }}/\${{ secrets.PASS }}/\${{ secrets.PASS }}/\${{ secrets.PASS }}/\${{ secrets.PASS }}/\${{ secrets.PASS }}`,
  ],
  ['the name of a shell', '- run: "true"\n  shell: ${{ secrets.PASS }}'],
  ['a program', '- run: "true"\n  shell: ${{ secrets.PASS }} {0}'],
  ['a summary', '- run: echo "# ${{ secrets.PASS }}" >> $GITHUB_STEP_SUMMARY'],
  ['an annotation', '- run: echo "::error file=${{ secrets.PASS }},title=${{ secrets.PASS }}::${{ secrets.PASS }}"'],
  ['an expression that fails', '- run: echo ${{ fromJSON(secrets.JSON) }}'],
  ['a command file', '- run: echo "${{ secrets.PASS }}" >> $GITHUB_ENV'],
  ['a time limit', '- run: "true"\n  timeout-minutes: ${{ secrets.PASS }}'],
  ['a variable name', '- run: "true"\n  env: { "${{ secrets.PASS }}=": x }'],
  ['an unknown label', '- run: "true"', 'services: { x: "${{ secrets.PASS }}" }'],
  ['the path of an action', '- uses: ./${{ secrets.PASS }}'],
  ['an output of the job', '- run: "true"', 'outputs: { x: "${{ secrets.PASS }}" }'],
  ['the row of a mask', '- run: echo "::add-mask::${{ secrets.PASS }}"'],
  ['debug', '- run: echo "::debug::${{ secrets.PASS }}"'],
])('hides a secret in %s', async (_, steps, head) => {
  const run = await runSteps(steps, { secrets, debug: true, ...(head === undefined ? {} : { head }) });
  expect(told(run)).not.toMatch(/hunter[23]/);
  expect(JSON.stringify([...run.results].map(([, { outputs }]) => [...outputs]))).not.toMatch(/hunter/);
});

it('hides what a step masks from then on', async () => {
  const run = await runSteps(
    '- run: echo "::add-mask::hunter2-masked"; echo "it is hunter2-masked"\n- run: echo hunter2-masked\n  name: name ${{ vars.V }}',
    {
      vars: { V: 'hunter2-masked' },
    },
  );
  expect(run.job().steps()).toEqual(['it is ***', '***']);
  expect(run.job().changes.at(-1)?.name).toBe('name ***');
});

it('hides a secret of a matrix in the name of its job', async () => {
  const run = await runYaml(
    "on: push\njobs:\n  a:\n    runs-on: here\n    strategy: { matrix: { n: ['${{ vars.V }}'] } }\n    steps: [{ run: echo }]\n",
    { secrets, vars: { V: secrets.PASS } },
  );
  expect(told(run)).not.toContain('hunter2');
  expect(run.jobs[0]?.name).toBe('a (***)');
});

it('hides what a step masks in its own name when it ends', async () => {
  const steps = '- run: echo "::add-mask::hunter2-masked"\n  name: name ${{ vars.V }}';
  const run = await runSteps(steps, { vars: { V: 'hunter2-masked' } });
  expect(run.job().changes.at(-1)).toMatchObject({ kind: 'finished', name: 'name ***' });
});
