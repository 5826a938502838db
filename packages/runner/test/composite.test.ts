import { eventually, referenceBackend } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { holdLimit } from './hold-limit.ts';
import { indent, jobOf, runSteps, type RanYaml, type RunYamlOptions, type StartedRun, startYaml } from './run-yaml.ts';

/** An action of these steps. `head` are further keys of `action.yml`. */
function action(steps: string, head = ''): string {
  return `name: mine\n${head}\nruns:\n  using: composite\n  steps:\n${indent(steps, '    ')}\n`;
}

/** Rows of the steps without those that announce a step of an action. */
function shown(run: StartedRun, index?: number): readonly string[] {
  return run
    .job()
    .steps(index)
    .filter((row) => !row.startsWith('▸'));
}

async function runAction(yaml: string, steps: string, options: RunYamlOptions = {}): Promise<RanYaml> {
  return runSteps(steps, { ...options, files: { 'act/action.yml': yaml, ...options.files } });
}

it('gives an action its inputs: given, default, default by expression, none', async () => {
  const inputs = `inputs:
  given: { default: unused }
  plain: { default: plain }
  made: { default: "\${{ github.repository }}-\${{ runner.name }}" }
  none: {}
  CamelCase: { default: x }`;
  const steps =
    '- run: echo "${{ inputs.given }} ${{ inputs.plain }} ${{ inputs.made }} [${{ inputs.none }}] ${{ inputs.camelcase }}"\n  shell: sh';
  const run = await runAction(
    action(steps, inputs),
    '- uses: ./act\n  with: { GIVEN: "${{ vars.V }}", camelCASE: y, extra: 1 }',
    {
      vars: { V: 'value' },
    },
  );
  expect(shown(run)).toContain('value plain me/mine-tester [] y');
  expect(run.job().text()).toMatch(/##\[warning\]Unexpected input "extra": mine has the inputs "given", /);
});

it('refuses to run without a required input', async () => {
  const run = await runAction(
    action('- run: echo no\n  shell: sh', 'inputs: { must: { required: true } }'),
    '- uses: ./act',
  );
  expect(run.job().results()).toEqual(['failure/failure']);
  expect(run.job().text()).toContain('expected the input "must", which mine requires, found none');
  expect(shown(run)).not.toContain('no');
});

it('hands outputs on, also after a failure', async () => {
  const outputs =
    'outputs: { out: { value: "${{ steps.a.outputs.x }}-${{ inputs.i }}" } }\ninputs: { i: { default: d } }';
  const steps = '- id: a\n  run: echo x=1 >> $GITHUB_OUTPUT\n  shell: sh\n- run: exit ${{ inputs.i }}\n  shell: sh';
  const run = await runAction(
    action(steps, outputs),
    '- id: good\n  uses: ./act\n  with: { i: 0 }\n- id: bad\n  uses: ./act\n  with: { i: 7 }\n- run: echo ${{ steps.good.outputs.out }} ${{ steps.bad.outputs.out }}\n  if: always()',
  );
  expect(run.job().results()).toEqual(['success/success', 'failure/failure', 'success/success']);
  expect(shown(run, 2)).toEqual(['1-0 1-7']);
  expect(shown(run, 1)).toEqual(['##[error]Process completed with exit code 7']);
});

it('keeps steps, inputs and secrets of the caller out', async () => {
  const steps = `- run: echo "[\${{ steps.outer.outputs.x }}] [\${{ inputs.of_workflow }}] \${{ github.action_path == format('{0}/act', github.workspace) }} $(basename $GITHUB_ACTION_PATH)"
  shell: sh
- run: echo \${{ secrets.PASS }}
  shell: sh
  if: always()`;
  const run = await runAction(
    action(steps),
    '- id: outer\n  run: echo x=1 >> $GITHUB_OUTPUT\n- uses: ./act\n- run: echo "[$GITHUB_ACTION_PATH]"\n  if: always()',
    { secrets: { PASS: 'hunter2' }, inputs: { of_workflow: 'w' } },
  );
  expect(shown(run, 1)[0]).toBe('[] [] true act');
  expect(run.job().results()[1]).toBe('failure/failure');
  expect(run.job().text()).toMatch(/expression "secrets\.PASS"/);
  expect(shown(run, 2)).toEqual(['[]']);
});

it('gives the steps inside the variables of the step around them, and the job those that they export', async () => {
  const run = await runAction(
    action(
      '- run: echo "$A $B ${{ env.A }}"; echo E=exported >> $GITHUB_ENV; echo /added >> $GITHUB_PATH\n  shell: sh\n  env: { B: inner }\n- run: echo "$B"\n  shell: sh',
    ),
    '- uses: ./act\n  env: { A: caller, B: caller }\n- run: echo "[$A] $E ${PATH%%:*}"',
  );
  expect(shown(run)).toEqual(['caller inner caller', 'caller', '[] exported /added']);
});

it('has conditions and continue-on-error of its own', async () => {
  const run = await runAction(
    action(`- run: exit 1
  shell: sh
  continue-on-error: true
- run: echo after forgiven
  shell: sh
- run: exit 2
  shell: sh
- run: echo no
  shell: sh
- run: echo "failed \${{ failure() }} \${{ github.action_status }} \${{ job.status }}"
  shell: sh
  if: failure()
- run: echo no
  shell: sh
  if: \${{ inputs.nothing }}`),
    '- uses: ./act\n  continue-on-error: true\n- run: echo goes on',
  );
  expect(shown(run)).toEqual([
    '##[error]Process completed with exit code 1',
    'after forgiven',
    '##[error]Process completed with exit code 2',
    'failed true failure success',
    'goes on',
  ]);
  expect(run.job().results()).toEqual(['failure/success', 'success/success']);
});

it('ends an action with the time limit of its step', async () => {
  using limit = holdLimit(61);
  const yaml = action('- run: echo in; sleep 60\n  shell: sh\n- run: echo no\n  shell: sh\n  if: always()');
  const steps = '- uses: ./act\n  timeout-minutes: 61\n- run: echo after\n  if: failure()';
  const run = await startYaml(jobOf(steps), { files: { 'act/action.yml': yaml } });
  await eventually(() => run.job().steps().includes('in'));
  limit.end();
  await run.done;
  expect(run.job().results()).toEqual(['failure/failure', 'success/success']);
  expect(shown(run)).toEqual(['in', '##[error]The step ran longer than its limit of 61 minutes', 'after']);
});

it('nests 10 levels deep and no further', async () => {
  const files: Record<string, string> = { 'act/action.yml': action('- uses: ./n2') };
  for (let level = 2; level < 10; level += 1) files[`n${level}/action.yml`] = action(`- uses: ./n${level + 1}`);
  files['n10/action.yml'] = action('- run: echo bottom; echo $GITHUB_OUTPUT | wc -c\n  shell: sh');
  const deep = await runSteps('- uses: ./act', { files });
  expect(deep.job().results()).toEqual(['success/success']);
  expect(shown(deep)[0]).toBe('bottom');
  const deeper = await runSteps('- uses: ./act', {
    files: {
      ...files,
      'n10/action.yml': action('- uses: ./n11'),
      'n11/action.yml': action('- run: echo no\n  shell: sh'),
    },
  });
  expect(deeper.job().results()).toEqual(['failure/failure']);
  expect(deeper.job().text()).toContain('expected at most 10 actions inside of each other, found more');
});

it('refuses an action that uses itself', async () => {
  const run = await runAction(action('- uses: ./act'), '- uses: ./act\n- run: echo on\n  if: always()');
  expect(run.job().results()).toEqual(['failure/failure', 'success/success']);
  expect(run.job().text()).toContain('expected at most 10 actions inside of each other, found more');
});

it.each<[string, string, string, RegExp]>([
  [
    'outside of the workspace',
    './../act',
    '',
    /expected the path of a local action to stay in the workspace, found "\.\/\.\.\/act"/,
  ],
  ['outside by a detour', './act/../../act', '', /stay in the workspace/],
  ['that is not there', './none', '', /expected action\.yml or action\.yaml in "\.\/none", found neither/],
  [
    'that is a symlink',
    './act',
    'ln -sf /etc/passwd act/action.yml',
    /act\/action\.yml" to be a regular file, found a symlink/,
  ],
  ['that is a folder', './act', 'rm act/action.yml; mkdir act/action.yml', /to be a regular file, found a directory/],
  [
    'of 2 MB',
    './act',
    'head -c 2000000 /dev/zero | tr "\\0" "#" > act/action.yml',
    /expected at most 1048576 bytes in ".*act\/action\.yml", found more/,
  ],
  ['that is no YAML', './act', 'echo "{" > act/action.yml', /act\/action\.yml:\d+:\d+: /],
])('refuses an action %s', async (_, uses, script, reason) => {
  const run = await runAction(
    action('- run: echo ran\n  shell: sh'),
    `- run: ":; ${script.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"\n- uses: ${uses}`,
  );
  expect(run.job().results()).toEqual(['success/success', 'failure/failure']);
  expect(run.job().steps(1).join('\n')).toMatch(reason);
  expect(shown(run)).not.toContain('ran');
});

it('takes a folder whose name begins with two dots', async () => {
  const run = await runSteps('- uses: ./..act', {
    files: { '..act/action.yml': action('- run: echo ran\n  shell: sh') },
  });
  expect(shown(run)).toEqual(['ran']);
});

it('refuses a Docker action where the label has no containers, before anything of its step starts', async () => {
  const backend = referenceBackend();
  const run = await runAction(
    'name: box\nruns: { using: docker, image: Dockerfile }\n',
    '- run: echo first\n- uses: ./act\n- run: echo on\n  if: always()',
    { backend },
  );
  expect(run.job().results()).toEqual(['success/success', 'failure/failure', 'success/success']);
  expect(run.job().text()).toContain(
    'label "here" (backend reference) cannot run this step: box is a Docker action. Nothing of the step was started',
  );
  // Two scripts, and the shell that was looked for once.
  expect(backend.log.filter(({ method }) => method === 'exec')).toHaveLength(3);
});
