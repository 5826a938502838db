import { readFile } from 'node:fs/promises';
import { eventually, openTempFolder, startFakeForgejo, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type BuiltRunner, buildRunner } from './built-runner.ts';
import { type Finished, runProgram, startProgram } from './run-program.ts';

const workflow = 'on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo "$GITHUB_JOB"\n';
const opened = new AsyncDisposableStack();
let runner: BuiltRunner;
let guide: string;

beforeAll(async () => {
  guide = await readFile(new URL('../docs/guide/README.md', import.meta.url), 'utf8');
  runner = opened.use(await buildRunner());
});

afterAll(() => opened.disposeAsync());

/** What stands in the guide in blocks of this language. */
function blocks(language: string): readonly string[] {
  return [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, text]) => text ?? '');
}

function commands(): readonly string[] {
  return blocks('sh')
    .flatMap((block) => block.trim().split('\n'))
    .map((line) => line.replace(/ #.*/, '').trim());
}

/** What needs an instance. */
function isConnected(command: string): boolean {
  return /^forgejo-runner (?:daemon|one-job|config) /.test(command);
}

async function openProject(): Promise<TempFolder> {
  const folder = await openTempFolder();
  await folder.write({ 'home/.keep': '', '.forgejo/workflows/a.yml': workflow, 'ci.yml': workflow });
  return folder;
}

function run(folder: TempFolder, args: readonly string[]): Promise<Finished> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder.join('home'), LANG: 'C.UTF-8', TOKEN: 'a secret' };
  return runProgram([...runner.command, ...args], { cwd: folder.path, env });
}

it('has commands in the guide that do what it says, as they stand there', async () => {
  await using folder = await openProject();
  const listed = commands().filter((command) => !isConnected(command));
  expect(listed.length).toBeGreaterThan(4);
  for (const command of listed) {
    const [program, ...args] = command.split(/\s+/);
    const { code, stdout, stderr } = await run(folder, args);
    // With what it printed, so that a failure says why.
    const right = { command, stdout, program: 'forgejo-runner', code: 0, stderr: '' };
    expect({ command, stdout, program, code, stderr }).toEqual(right);
  }
});

it('has messages in the guide as the runner prints them', async () => {
  await using folder = await openProject();
  await folder.write({ 'config.yml': 'runner:\n  capacity: 1\n  capasity: 3\n' });
  const { code, stderr } = await run(folder, ['exec', '-c', 'config.yml', '-P', 'ubuntu-latest=host']);
  expect(code).toBe(1);
  expect(blocks('text')).toContain(stderr.replace('config.yml:', '/etc/forgejo-runner/config.yml:'));
});

it('connects a runner with the configuration and the commands of the guide', async () => {
  await using folder = await openProject();
  await using forgejo = await startFakeForgejo();
  const { uuid, token } = forgejo.addRunner({ labels: ['shell'] });
  const config = blocks('yaml').find((block) => block.includes('connections:')) ?? '';
  const here = (text: string): string =>
    text
      .replace('https://forgejo.example', forgejo.url)
      .replace(/8c7a0000-\S+|\bUUID\b/, uuid)
      .replace('127.0.0.1:9870', '127.0.0.1:0');
  await folder.write({ 'config.yml': here(config), token });
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder.join('home'),
    LANG: 'C.UTF-8',
    CREDENTIALS_DIRECTORY: folder.path,
  };
  const surroundings = { cwd: folder.path, env };
  const [check, daemon, oneJob, ...others] = commands()
    .filter(isConnected)
    .map((command): [string, ...string[]] => [...runner.command, ...here(command).split(/\s+/).slice(1)]);
  if (check === undefined || daemon === undefined || oneJob === undefined) throw new Error('expected three commands');
  expect(others).toEqual([]);
  const checked = await runProgram(check, surroundings);
  expect(checked).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining(uuid) });
  const job = 'runs-on: shell\nsteps: [{ run: echo hello }]';
  const first = forgejo.addJob(job);
  const started = startProgram(daemon, surroundings);
  expect(await first.ended()).toBe('success');
  await eventually(() => /metrics are served url=/.test(started.stderr()));
  process.kill(started.pid, 'SIGTERM');
  expect(await started.finished).toMatchObject({ code: 0 });
  const second = forgejo.addJob(job);
  expect(await runProgram(oneJob, surroundings)).toMatchObject({ code: 0 });
  expect(await second.ended()).toBe('success');
});
