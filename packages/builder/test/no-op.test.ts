import { appendFile, chmod, cp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Ended, fixture, listBackends, openWorkplace, type Workplace, withFixtureRunner } from './run-builder.ts';

let workplace: Workplace;
let backend: TempFolder;
let output: string;

beforeEach(async () => {
  workplace = await openWorkplace();
  backend = await openTempFolder();
  await cp(fixture('typescript'), backend.path, { recursive: true });
  output = workplace.project.join('runner.mjs');
  // What changed in the moment of a build is not remembered, and the copy may be as new as that.
  await build();
  if ((await build()).stdout.startsWith('built ')) await build();
});
afterEach(async () => {
  await backend[Symbol.asyncDispose]();
  await workplace[Symbol.asyncDispose]();
});

function build(...flags: readonly string[]): Promise<Ended> {
  return workplace.build(...withFixtureRunner, '--with', backend.path, '--output', output, ...flags);
}

it('does nothing when its output is there and nothing changed', async () => {
  const before = await stat(output);
  const { code, stdout, stderr } = await build();
  expect(stdout).toMatch(/^unchanged .*runner\.mjs/);
  expect(stderr).not.toContain('Bundle');
  expect((await stat(output)).mtimeMs).toBe(before.mtimeMs);
  expect(code).toBe(0);
});

it('says so to machines, with what a build says', async () => {
  const { stdout } = await build('--log-format', 'json');
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(events.map((event) => event['event'])).toEqual(['step-started', 'step-finished', 'unchanged', 'built']);
  expect(events.at(-1)).toMatchObject({ isUnchanged: true, sizeBytes: (await stat(output)).size });
});

it('does nothing when a file was touched only', async () => {
  await utimes(backend.join('src/description.ts'), new Date(), new Date());
  expect((await build()).stdout).toContain('unchanged ');
});

it.each<[string, () => Promise<void>]>([
  ['a source was edited', () => appendFile(backend.join('src/description.ts'), '\nexport const more: number = 1;\n')],
  [
    'a source was edited and its time set back',
    async () => {
      const file = backend.join('src/description.ts');
      const { atime, mtime, size } = await stat(file);
      const text = await readFile(file, 'utf8');
      await writeFile(file, text.replace('Runs', 'Rums'));
      expect((await stat(file)).size).toBe(size);
      await utimes(file, atime, mtime);
    },
  ],
  ['the package.json of a package changed', () => appendFile(backend.join('package.json'), '\n')],
  ['a package appeared that would be found first', () => backend.write({ 'node_modules/x/package.json': '{}' })],
  ['the output was changed', () => appendFile(output, '\n')],
  ['the output is not executable any more', () => chmod(output, 0o644)],
  ['the output is gone', () => rm(output)],
])('builds again when %s', async (_, change) => {
  await change();
  const { code, stdout } = await build();
  expect(stdout).toMatch(/^built /);
  expect(code).toBe(0);
  expect(await listBackends(output)).toEqual(['ts']);
});

it.each([['--force'], ['--strict'], ['--budget', 'size=90MB'], ['--no-smoke-run']])(
  'builds again for %s',
  async (...flags) => {
    expect((await build(...flags)).stdout).toMatch(/^built /);
  },
);

it('says warnings again that the build had', async () => {
  const withFile = (): Promise<Ended> =>
    workplace.build(...withFixtureRunner, '--with', fixture('reads-file-beside'), '--output', output);
  const first = await withFile();
  const second = await withFile();
  expect(second.stdout).toMatch(/^unchanged /);
  const warning = /⚠ FRB502 .*\n.*\n/;
  expect(warning.exec(second.stderr)?.[0]).toBe(warning.exec(first.stderr)?.[0]);
  expect(first.stderr).toContain('FRB502');
});

it('builds when what it remembered is damaged', async () => {
  const room = path.join(workplace.cacheDir, 'results');
  for (const name of await readdir(room)) await writeFile(path.join(room, name), '{"inputs":[["/etc/passwd"');
  expect((await build()).stdout).toMatch(/^built /);
  expect((await build()).stdout).toMatch(/^unchanged /);
});
