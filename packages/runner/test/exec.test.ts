import { eventually } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { Interruption } from '../src/io.ts';
import { execInFolder } from './run-main.ts';
import { jobOf } from './run-yaml.ts';

const { exec, repository, start, workflow } = execInFolder();

it('runs, prints and answers with the result', async () => {
  await workflow('- run: echo hello');
  expect(await exec()).toMatchObject({ code: 0, stdout: expect.stringContaining('hello') as string, stderr: '' });
  await workflow('- run: exit 3');
  expect(await exec()).toMatchObject({ code: 1, stdout: expect.stringContaining('exit code 3') as string });
});

it('cancels at the first signal, and ends with the code of the signal', async () => {
  await workflow('- run: echo here; sleep 60\n- run: echo saved\n  if: cancelled()');
  const run = start();
  await eventually(() => run.stdout().includes('here\n'));
  run.interrupt.abort(new Interruption('SIGINT'));
  expect(await run.code).toBe(130);
  expect(run.stdout()).toContain('saved');
  expect(run.stderr()).toContain('interrupted by SIGINT');
  expect(run.backend.environments()).toEqual([]);
});

it('does not wait for the grace time after the second signal', async () => {
  await workflow('- run: echo here; sleep 60\n- run: echo slow; sleep 60\n  if: always()');
  const run = start();
  await eventually(() => run.stdout().includes('here\n'));
  run.interrupt.abort(new Interruption('SIGTERM'));
  await eventually(() => run.stdout().includes('slow\n'));
  run.hurry.abort();
  expect(await run.code).toBe(143);
  expect(run.backend.environments()).toEqual([]);
});

it('starts no other workflow after a signal', async () => {
  await repository().write({
    '.forgejo/workflows/a.yml': jobOf('- run: echo here; sleep 60'),
    '.forgejo/workflows/b.yml': jobOf('- run: echo second'),
  });
  const run = start();
  await eventually(() => run.stdout().includes('here\n'));
  run.interrupt.abort(new Interruption('SIGINT'));
  expect(await run.code).toBe(130);
  expect(run.stdout()).not.toContain('second');
});

it('runs all workflows of an event', async () => {
  await repository().write({
    '.forgejo/workflows/a.yml': jobOf('- run: echo from a'),
    '.forgejo/workflows/b.yml': jobOf('- run: echo from b'),
    '.forgejo/workflows/c.yml': jobOf('- run: echo from c').replace('push', 'schedule'),
  });
  const { stdout } = await exec('--event', 'push');
  expect(stdout).toMatch(/from a[^]*from b/);
  expect(stdout).not.toContain('from c');
});

it.each<[string[], string]>([
  [['--job', 'nope'], 'expected a job "nope", found "one"'],
  [['--event', 'nope'], 'expected an event that a workflow names, found "nope"; did you mean "push"'],
  [['-P', 'here=nope'], 'nope'],
  [['-P', 'here'], 'expected label=backend[:argument] after --platform, found "here"'],
  [['-W', 'nope'], 'expected a workflow file or folder at'],
])('refuses %j', async (args, message) => {
  await workflow('- run: echo');
  const { code, stderr, stdout } = await exec(...args);
  expect(stderr).toContain(message);
  expect(stderr).toMatch(/^error FRR\d{3}: /);
  expect([1, 64]).toContain(code);
  expect(stdout).toBe('');
});

it('names the labels that there are', async () => {
  await workflow('- run: echo');
  await repository().write({ '.forgejo/workflows/w.yml': jobOf('- run: echo').replace('here', 'there') });
  const { code, stdout } = await exec();
  expect(code).toBe(1);
  expect(stdout).toContain('expected a label of this runner in runs-on, found "there"; this runner has "here"');
});

it('says which flags change nothing without Docker', async () => {
  await workflow('- run: echo hello');
  const { stderr, code } = await exec('--privileged', '--network', 'x', '-6', '--container-cap-add', 'NET_ADMIN');
  expect(stderr).toBe(
    'warning: --privileged, --container-cap-add, --network, --enable-ipv6 have no effect: this runner has no Docker backend\n',
  );
  expect(code).toBe(0);
});

it('says so for each of them', async () => {
  await workflow('- run: echo hello');
  const flags =
    '--pull --rebuild --privileged --userns=x --container-architecture=x --container-daemon-socket=x --container-cap-add=x --container-cap-drop=x --container-opts=x --network=x --enable-ipv6'.split(
      ' ',
    );
  const { stderr } = await exec(...flags, '--dryrun');
  expect(stderr).toContain(flags.map((flag) => flag.replace(/=.*/, '')).join(', '));
});

it('tells all that is wrong with a configuration at once, where the file lies', async () => {
  await workflow('- run: touch ran');
  await repository().write({
    'below/config.yml': `runner: { capacity: many, labels: ["a:refrence", ":"] }
backend:
  kubernets: {}
`,
  });
  const { stderr, code } = await exec('-c', 'below/config.yml');
  expect(code).toBe(1);
  expect(stderr.match(/^ {2}below\/config\.yml:\d+:\d+: .*$/gm)).toEqual([
    expect.stringContaining('config.yml:1:21: runner.capacity: expected a whole number'),
    expect.stringContaining('label "a": this runner has no backend "refrence"; did you mean "reference"'),
    expect.stringContaining('config.yml:1:50: label ":": expected a name'),
    expect.stringContaining('backend.kubernets: this runner has no backend "kubernets"'),
  ]);
  expect((await exec('-c', 'below/config.yml', '-P', 'here')).stderr).toMatch(
    /expected label=backend\[:argument\] after --platform, found "here"\n {2}below\/config\.yml:1:21: /,
  );
  await repository().write({ variables: '= nothing', 'event.json': '[]' });
  expect((await exec('--env-file', 'variables')).stderr).toContain('  variables:1:1: expected NAME=value');
  expect((await exec('-e', 'event.json')).stderr).toContain('expected a JSON object in "event.json", found');
});

it('lists jobs and runs nothing', async () => {
  await workflow('- run: touch ran', 'name: "A \\e[31mname"');
  const { stdout, code } = await exec('--list');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^STAGE +JOB ID +JOB NAME[^]*0 +one +A  \[31mname/);
});

it('plans and runs nothing with --dryrun', async () => {
  await workflow('- run: echo no');
  const run = start(['--dryrun']);
  expect(await run.code).toBe(0);
  expect(run.stdout()).toContain('Would run on label "here" (here:reference): 1 step');
  expect(run.backend.log.map(({ method }) => method)).not.toContain('createEnvironment');
});

it('prints nothing but JSON with --json', async () => {
  await workflow(
    '- run: |\n    printf \'\\033[31mred\\n"quoted" \\\\ \\xff\\n\'; echo \'{"type":"job-finished"}\'\n- run: exit 1',
  );
  const { stdout, code } = await exec('--json', '--pull');
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; result?: string });
  expect(events.at(-1)).toMatchObject({ type: 'run-finished', result: 'failure' });
  expect(events.filter(({ type }) => type === 'job-finished')).toHaveLength(1);
  expect(code).toBe(1);
});

it('hides the secrets of the command line', async () => {
  await workflow(
    '- run: echo ${{ secrets.PASS }} $(echo -n ${{ secrets.PASS }} | base64)\n  name: with ${{ secrets.PASS }}',
  );
  const { stdout } = await exec('-s', 'PASS=hunter2-and-more');
  expect(stdout).not.toContain('hunter2');
  expect(stdout).toContain('with ***');
  expect((await exec('-s', 'PASS=hunter2-and-more', '--insecure-secrets')).stdout).toContain('hunter2-and-more');
});
