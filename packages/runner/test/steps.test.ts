import { randomUUID } from 'node:crypto';
import { eventually, referenceBackend } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { holdLimit } from './hold-limit.ts';
import { jobOf, runSteps, startYaml } from './run-yaml.ts';

/** The last step of every case: it shows that the job went on. */
const last = '- run: echo went on\n  if: always()';

it.each<[string, string, string]>([
  ['succeeds', 'run: "true"', 'success/success'],
  ['fails', 'run: exit 3', 'failure/failure'],
  ['fails and may', 'run: exit 3\n  continue-on-error: true', 'failure/success'],
  [
    'fails and may by an expression',
    "run: exit 3\n  continue-on-error: ${{ github.repository == 'me/mine' }}",
    'failure/success',
  ],
  [
    'fails and may not by an expression',
    "run: exit 3\n  continue-on-error: ${{ github.repository == 'x' }}",
    'failure/failure',
  ],
  ['is skipped', 'run: exit 3\n  if: false', 'skipped/skipped'],
  ['dies by a signal', 'run: kill -9 $$', 'failure/failure'],
  ['runs out of time', 'run: sleep 60\n  timeout-minutes: 0.005', 'failure/failure'],
  ['runs out of time and may', 'run: sleep 60\n  timeout-minutes: 0.005\n  continue-on-error: true', 'failure/success'],
  [
    'has an expression that fails and may',
    "run: echo ${{ fromJSON('x') }}\n  continue-on-error: true",
    'failure/success',
  ],
  [
    'has variables that fail and may',
    'run: echo\n  env: { A: "${{ fromJSON(\'x\') }}" }\n  continue-on-error: true',
    'failure/success',
  ],
])('a step that %s', async (_, step, expected) => {
  const { job, results } = await runSteps(`- ${step}\n${last}`);
  expect(job().results()).toEqual([expected, 'success/success']);
  expect(job().steps(1)).toEqual(['went on']);
  expect(results.get('one')?.result).toBe(expected.endsWith('failure') ? 'failure' : 'success');
});

it.each<[string, string, RegExp]>([
  ['exit code', 'run: exit 3', /^##\[error\]Process completed with exit code 3$/],
  ['missing command', 'run: no-such-command-at-all', /exit code 127 \(command not found\)$/],
  ['signal', 'run: kill -9 $$', /^##\[error\]Process was ended by SIGKILL$/],
  [
    'time limit',
    'run: sleep 60\n  timeout-minutes: 0.005',
    /^##\[error\]The step ran longer than its limit of 0.01 minutes$/,
  ],
  [
    'shell that is not there',
    'run: x\n  shell: fish-that-nobody-has {0}',
    /w\.yml:8:16: expected the shell "fish-that-nobody-has" in the environment, found no such program/,
  ],
  ['shell that is none', 'run: x\n  shell: fish', /w\.yml:8:16: expected a shell \(bash, sh, .*found "fish"/],
  [
    'folder that is not there',
    'run: x\n  working-directory: no/such',
    /w\.yml:8:28: expected the working directory ".*\/workspace\/no\/such" to exist/,
  ],
  ['output file', 'run: echo nonsense >> $GITHUB_OUTPUT', /GITHUB_OUTPUT:1:1: expected name=value or name<<DELIMITER/],
  ['env', 'run: x\n  env: { A: "${{ fromJSON(\'x\') }}" }', /w\.yml:8:24: expression "fromJSON\('x'\)": /],
  ['if', "run: x\n  if: fromJSON('x')", /w\.yml:8:13: expression "fromJSON\('x'\)": /],
  ['name', "run: x\n  name: ${{ fromJSON('x') }}", /w\.yml:8:\d+: expression "fromJSON\('x'\)": /],
  ['run', "run: echo ${{ fromJSON('x') }}", /w\.yml:7:\d+: expression "fromJSON\('x'\)": /],
  [
    'timeout-minutes',
    "run: x\n  timeout-minutes: ${{ fromJSON('x') }}",
    /w\.yml:8:\d+: expression "fromJSON\('x'\)": /,
  ],
  [
    'continue-on-error',
    "run: x\n  continue-on-error: ${{ fromJSON('x') }}",
    /w\.yml:8:\d+: expression "fromJSON\('x'\)": /,
  ],
  ['shell', "run: x\n  shell: ${{ fromJSON('x') }}", /w\.yml:8:\d+: expression "fromJSON\('x'\)": /],
  [
    'working-directory',
    "run: x\n  working-directory: ${{ fromJSON('x') }}",
    /w\.yml:8:\d+: expression "fromJSON\('x'\)": /,
  ],
  [
    'timeout-minutes of no number',
    "run: x\n  timeout-minutes: ${{ 'long' }}",
    /w\.yml:8:\d+: expected timeout-minutes to be a number above 0/,
  ],
  [
    'continue-on-error of no boolean',
    "run: x\n  continue-on-error: ${{ 'maybe' }}",
    /w\.yml:8:\d+: expected true or false/,
  ],
  [
    'variable without a name',
    'run: x\n  env: { "": y }',
    /w\.yml:8:\d+: expected variables in env, found one with an empty name/,
  ],
  ['variable with an equals sign', 'run: x\n  env: { "A=B": y }', /expected variables in env, found the name "A=B"/],
  [
    'action that is not there',
    'uses: ./no/such',
    /w\.yml:7:15: expected action\.yml or action\.yaml in "\.\/no\/such", found neither/,
  ],
])('explains a wrong %s with its place and goes on', async (_, step, reason) => {
  const { job } = await runSteps(`- ${step}\n${last}`);
  expect(job().steps(0)).toContainEqual(expect.stringMatching(reason));
  const finished = job().changes.find((change) => change.kind === 'finished');
  expect(finished).toMatchObject({ outcome: 'failure', reason: expect.any(String) as string });
  expect(job().steps(1)).toEqual(['went on']);
});

it('runs a step after a failure only where it asks for that', async () => {
  const { job } = await runSteps(`
- run: exit 1
- run: echo implicit
- run: echo \${{ failure() }} \${{ job.status }}
  if: failure()
- run: echo no
  if: github.repository == 'me/mine'
- run: echo no
  if: success()
- run: echo no
  if: cancelled()
- run: echo always
  if: always()`);
  expect(job().steps().slice(1)).toEqual(['true failure', 'always']);
  expect(job().results().slice(1)).toEqual([
    'skipped/skipped',
    'success/success',
    'skipped/skipped',
    'skipped/skipped',
    'skipped/skipped',
    'success/success',
  ]);
});

it('does not mind what is wrong in a step that does not run', async () => {
  const { job } = await runSteps(`
- id: a
  run: exit 1
- run: echo
  name: \${{ fromJSON(steps.a.outputs.json) }}
  env: { A: "\${{ fromJSON(steps.a.outputs.json) }}" }
- run: echo
  if: false
  name: \${{ fromJSON('x') }}`);
  expect(job().results()).toEqual(['failure/failure', 'skipped/skipped', 'skipped/skipped']);
});

it('shows outcome, conclusion and outputs of the steps before', async () => {
  const { job } = await runSteps(`
- id: a
  run: echo "x=1" >> $GITHUB_OUTPUT; exit 1
  continue-on-error: true
- id: b
  run: echo
  if: false
- run: echo '\${{ toJSON(steps) }}'`);
  const shown: unknown = JSON.parse(job().steps(2).join('\n'));
  expect(shown).toEqual({
    a: { outputs: { x: '1' }, outcome: 'failure', conclusion: 'success' },
    b: { outputs: {}, outcome: 'skipped', conclusion: 'skipped' },
  });
});

it('ends everything that a step started when its time is over', async () => {
  using limit = holdLimit(61);
  // Its own, as the same test may run elsewhere on the machine.
  const loop = `while :; do sleep 0.1; true ${randomUUID()}; done`;
  const { job, done } = await startYaml(
    jobOf(`
- run: |
    (trap '' TERM INT; setsid sh -c 'trap "" TERM INT HUP; echo started; ${loop}' & wait) &
    wait
  timeout-minutes: 61
  continue-on-error: true
- run: ps -eo args | grep -c '[${loop[0]}]${loop.slice(1)}' || true`),
  );
  await eventually(() => job().steps(0).includes('started'));
  limit.end();
  await done;
  expect(job().steps(0)[0]).toBe('started');
  expect(job().results()).toEqual(['failure/success', 'success/success']);
  expect(job().steps(1)).toEqual(['0']);
});

it('takes a time limit of years for none', async () => {
  const { job } = await runSteps('- run: sleep 0.2; echo done\n  timeout-minutes: 99999999');
  expect(job().steps()).toEqual(['done']);
});

it('takes what a step wrote before its time was over', async () => {
  using limit = holdLimit(61);
  const { job, done } = await startYaml(
    jobOf(`
- id: a
  run: echo "x=kept" >> $GITHUB_OUTPUT; echo written; sleep 60
  timeout-minutes: 61
  continue-on-error: true
- run: echo \${{ steps.a.outputs.x }}`),
  );
  await eventually(() => job().steps(0).includes('written'));
  limit.end();
  await done;
  expect(job().steps(1)).toEqual(['kept']);
});

it('evaluates nothing twice', async () => {
  const trap = '${{ secrets.PASS }} ${{ github.repository }}';
  const { job, results } = await runSteps(
    `
- id: a
  run: |
    printf '%s\\n' 'x=\${''{ secrets.PASS }} \${''{ github.repository }}' >> $GITHUB_OUTPUT
    printf '%s\\n' 'E=\${''{ github.repository }}' >> $GITHUB_ENV
- name: named \${{ vars.TRAP }}
  run: printf '%s\\n' '\${{ steps.a.outputs.x }}' "$E" "$V" '\${{ env.V }}' '\${{ inputs.trap }}' '\${{ github.event.title }}'
  env: { V: "\${{ vars.TRAP }}" }`.replaceAll("${''{", "${{ '${' }}{"),
    {
      vars: { TRAP: trap },
      inputs: { trap },
      github: { event: { title: trap } },
      secrets: { PASS: 'hunter2' },
      head: 'outputs: { o: "${{ steps.a.outputs.x }}" }',
    },
  );
  expect(job().steps(1)).toEqual([trap, '${{ github.repository }}', trap, trap, trap, trap]);
  expect(job().changes.at(-1)?.name).toBe(`named ${trap}`);
  expect(results.get('one')?.outputs.get('o')).toBe(trap);
});

it('looks for a shell that the environment has', async () => {
  const noShell = '- run: echo hi\n  env: { PATH: /nowhere }\n- run: echo hi\n  if: always()';
  const { job } = await runSteps(noShell);
  expect(job().steps(0)[0]).toMatch(/w\.yml:7:9: expected one of the shells bash, sh in the environment, found none/);
  expect(job().steps(1)).toEqual(['hi']);
});

it('reads defaults of the job before those of the workflow, and none in an action', async () => {
  const action = 'runs:\n  using: composite\n  steps:\n    - run: echo $0; pwd\n      shell: bash';
  const { job } = await runSteps('- run: pwd\n- run: pwd\n  working-directory: .\n- uses: ./act', {
    head: 'defaults: { run: { working-directory: sub } }',
    files: { 'sub/file': '', 'act/action.yml': action },
  });
  expect(job().steps(0)[0]).toMatch(/\/workspace\/sub$/);
  expect(job().steps(1)[0]).toMatch(/\/workspace$/);
  expect(job().steps(2).at(-1)).toMatch(/\/workspace$/);
});

it('calls an exec that cannot be made a failure of the step', async () => {
  const backend = referenceBackend();
  const ran = await runSteps('- run: echo one\n- run: echo two\n  if: always()', {
    backend,
    fillWorkspace: async () => void (backend.faults.copyIn = 'unavailable'),
  });
  expect(ran.job().results()).toEqual(['failure/failure', 'failure/failure']);
  expect(ran.job().text()).toContain("This is a failure of the runner's infrastructure, not of the job");
});
