import { cp, readFile } from 'node:fs/promises';
import { eventually, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fixture, openWorkplace, type Workplace, withFixtureRunner } from './run-builder.ts';

let workplace: Workplace;
let backend: TempFolder;

beforeEach(async () => {
  workplace = await openWorkplace();
  backend = await openTempFolder();
  await cp(fixture('typescript'), backend.path, { recursive: true });
});
afterEach(async () => {
  await backend[Symbol.asyncDispose]();
  await workplace[Symbol.asyncDispose]();
});

/** Starts `run --watch`; what it printed so far, and a way to end it. */
function watch(...flags: readonly string[]): AsyncDisposable & {
  readonly printed: () => string;
  readonly end: () => Promise<number | null>;
} {
  const child = workplace.start('run', '--watch', ...withFixtureRunner, '--with', backend.path, ...flags);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)));
  const end = (): Promise<number | null> => {
    child.kill('SIGTERM');
    return ended;
  };
  return { printed: () => text, end, [Symbol.asyncDispose]: async () => void (await end()) };
}

const edit = (text: string): Promise<void> =>
  backend.write({ 'src/description.ts': `export const description: string = '${text}';\n` });

it.each([[[]], [['--bundle']]])('starts again when a source changes, with the flags %j', async (flags) => {
  await using runner = watch(...flags, '--', 'list-backends');
  await eventually(() => runner.printed().includes('Runs from its sources'), { timeoutMs: 60_000 });
  await eventually(() => runner.printed().includes('the runner ended with 0; waiting for a change'), {
    timeoutMs: 60_000,
  });
  await edit('Edited once');
  await eventually(() => runner.printed().includes('Edited once'), { timeoutMs: 60_000 });
  await edit('Edited twice');
  await eventually(() => runner.printed().includes('Edited twice'), { timeoutMs: 60_000 });
  expect(runner.printed().split('something changed').length).toBeGreaterThan(2);
});

it('ends a runner that runs before it starts the next', async () => {
  await using runner = watch('--', 'stay');
  await eventually(() => runner.printed().includes('here as '), { timeoutMs: 60_000 });
  const first = Number(/here as (\d+)/.exec(runner.printed())?.[1]);
  await edit('Edited');
  await eventually(() => runner.printed().split('here as ').length === 3, { timeoutMs: 60_000 });
  expect(() => process.kill(first, 0)).toThrow('ESRCH');
  const second = Number(/here as (\d+)[^]*here as (\d+)/.exec(runner.printed())?.[2]);
  expect(await runner.end()).toBe(143);
  expect(() => process.kill(second, 0)).toThrow('ESRCH');
});

it('says what is wrong, and goes on when it is put right', async () => {
  const packageJson = await readFile(backend.join('package.json'), 'utf8');
  await using runner = watch('--', 'list-backends');
  await eventually(() => runner.printed().includes('Runs from its sources'), { timeoutMs: 60_000 });
  await backend.write({ 'package.json': '{' });
  await eventually(() => runner.printed().includes('FRB202'), { timeoutMs: 60_000 });
  expect(runner.printed()).toContain('it could not be started; waiting for a change');
  await backend.write({ 'package.json': packageJson });
  await edit('Right again');
  await eventually(() => runner.printed().includes('Right again'), { timeoutMs: 60_000 });
});

it('prints what the type check of a new version finds', async () => {
  await using runner = watch('--', 'list-backends');
  await eventually(() => runner.printed().includes('waiting for a change'), { timeoutMs: 60_000 });
  expect(runner.printed()).not.toContain('FRB4');
  await backend.write({ 'src/index.ts': 'export const factory: { readonly id: number } = { id: 1 };\n' });
  await eventually(() => runner.printed().includes('FRB40'), { timeoutMs: 60_000 });
  expect(runner.printed()).toContain('FRB404 @acme/backend-typescript@1.0.0: factory has no "');
});

it('passes over what was installed and what git keeps', async () => {
  await using runner = watch('--', 'list-backends');
  await eventually(() => runner.printed().includes('waiting for a change'), { timeoutMs: 60_000 });
  await backend.write({ 'node_modules/x/index.js': '1', '.git/index': '2', 'src/description.ts~': '3' });
  await edit('Only this');
  await eventually(() => runner.printed().includes('Only this'), { timeoutMs: 60_000 });
  expect(runner.printed().split('something changed').length).toBe(2);
});

it('builds nothing when the same is run again', async () => {
  const run = (): ReturnType<Workplace['build']> =>
    workplace.build(
      'run',
      '--bundle',
      ...withFixtureRunner,
      '--with',
      backend.path,
      '--log-format',
      'json',
      '--',
      'list-backends',
    );
  await run();
  await run();
  const { code, stdout } = await run();
  expect(stdout).toContain('"event":"unchanged"');
  expect(stdout).toContain('Runs from its sources');
  expect(code).toBe(0);
});
