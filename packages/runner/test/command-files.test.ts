import { expect, it } from 'vitest';
import { runSteps } from './run-yaml.ts';

it('gives every step files of its own', async () => {
  const { job } = await runSteps(
    `
- run: echo $GITHUB_ENV $GITHUB_OUTPUT $GITHUB_PATH $GITHUB_STATE $GITHUB_STEP_SUMMARY | tr ' ' '\\n'
- run: echo $GITHUB_ENV $GITHUB_OUTPUT $GITHUB_PATH $GITHUB_STATE $GITHUB_STEP_SUMMARY | tr ' ' '\\n'
- uses: ./act`,
    {
      files: {
        'act/action.yml': `runs:\n  using: composite\n  steps:\n    - run: echo $GITHUB_ENV $GITHUB_OUTPUT | tr ' ' '\\n'\n      shell: sh\n`,
      },
    },
  );
  const paths = job()
    .steps()
    .filter((row) => !row.startsWith('▸'));
  expect(paths).toHaveLength(12);
  expect(new Set(paths).size).toBe(12);
});

it('no longer looks at the files of an earlier step', async () => {
  const { job } = await runSteps(`
- id: a
  run: |
    echo "F=$GITHUB_OUTPUT" >> $GITHUB_ENV; echo "E=$GITHUB_ENV" >> $GITHUB_ENV
    echo x=first >> $GITHUB_OUTPUT
- run: echo x=second >> "$F"; echo LATE=late >> "$E"
- run: echo "\${{ steps.a.outputs.x }} $LATE"`);
  expect(job().steps(2)).toEqual(['first ']);
});

it('takes nothing from a process that a step left behind', async () => {
  const { job } = await runSteps(`
- id: a
  run: |
    (setsid sh -c 'while ! test -f go; do sleep 0.02; done; echo x=late >> $GITHUB_OUTPUT; echo LATE=late >> $GITHUB_ENV; echo > done' >/dev/null 2>&1 &)
    echo x=early >> $GITHUB_OUTPUT
- run: echo > go; while ! test -f done; do sleep 0.02; done
- run: echo "\${{ steps.a.outputs.x }} $LATE"`);
  expect(job().steps(2)).toEqual(['early ']);
});

it.each<[string, string, RegExp]>([
  [
    'a symlink in place of a file',
    'echo "x=stolen" > $RUNNER_TEMP/other; ln -sf $RUNNER_TEMP/other $GITHUB_OUTPUT',
    /expected "output" to be a regular file, found a symlink/,
  ],
  [
    'a symlink in place of the folder',
    'echo "x=stolen" > $RUNNER_TEMP/output; d=$(dirname $GITHUB_OUTPUT); rm -r $d; ln -s $RUNNER_TEMP $d',
    /commands" to be a regular file, found a symlink/,
  ],
  [
    'a file in place of the folder',
    'd=$(dirname $GITHUB_OUTPUT); rm -r $d; echo x=stolen > $d',
    /commands" to be a regular file/,
  ],
  [
    'a folder in place of a file',
    'rm $GITHUB_OUTPUT; mkdir $GITHUB_OUTPUT; echo x=stolen > $GITHUB_OUTPUT/output',
    /"output" to be a regular file, found a directory/,
  ],
  ['a pipe in place of a file', 'rm $GITHUB_OUTPUT; mkfifo $GITHUB_OUTPUT', /^$/],
  ['a file that is gone', 'rm $GITHUB_OUTPUT', /^$/],
  ['a folder that is gone', 'rm -r $(dirname $GITHUB_OUTPUT)', /^$/],
  [
    '100 MB',
    'head -c 100000000 /dev/zero > $GITHUB_OUTPUT',
    /expected at most 67108864 bytes in ".*commands", found more/,
  ],
])('has a clear answer to %s', async (_, script, reason) => {
  const { job } = await runSteps(`
- id: a
  run: ${script}
- run: echo "\${{ steps.a.outputs.x }}$?"
  if: always()`);
  expect(job().results()[0]).toBe(reason.source === '^$' ? 'success/success' : 'failure/failure');
  expect(job().steps(0).join('\n')).toMatch(reason);
  expect(job().steps(1)).toEqual(['0']);
});

it('names file and line of each that is malformed, takes the others, and says how the step ended', async () => {
  const { job } = await runSteps(`
- id: a
  run: |
    printf 'OK=1\\nnonsense\\n' >> $GITHUB_OUTPUT
    echo "b<<X" >> $GITHUB_STATE
    echo "/opt/kept" >> $GITHUB_PATH
    echo "KEPT=1" >> $GITHUB_ENV
    exit 5
- run: echo "\${{ steps.a.outputs.OK }} $KEPT \${PATH%%:*}"
  if: always()`);
  expect(job().steps(0)).toEqual([
    '##[error]Process completed with exit code 5',
    expect.stringContaining('GITHUB_OUTPUT:2:1: expected name=value or name<<DELIMITER'),
    expect.stringContaining('##[error]Next: '),
    expect.stringContaining('GITHUB_STATE:1:1: expected a line further down'),
  ]);
  expect(job().steps(1)).toEqual([' 1 /opt/kept']);
});

it('takes the command files of a step that failed', async () => {
  const { job } = await runSteps(`
- id: a
  run: echo x=1 >> $GITHUB_OUTPUT; echo A=2 >> $GITHUB_ENV; echo "# sum" >> $GITHUB_STEP_SUMMARY; exit 5
- run: echo "\${{ steps.a.outputs.x }} $A"
  if: always()`);
  expect(job().steps(1)).toEqual(['1 2']);
  expect(job().summaries).toEqual(['# sum\n']);
});
