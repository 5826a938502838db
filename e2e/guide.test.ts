import { readFile } from 'node:fs/promises';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type BuiltRunner, buildRunner } from './built-runner.ts';
import { type Finished, runProgram } from './run-program.ts';

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
  const listed = commands();
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
  expect(blocks('text')).toContain(stderr.replace(folder.join('config.yml'), '/etc/forgejo-runner/config.yml'));
});
