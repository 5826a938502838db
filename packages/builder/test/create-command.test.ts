import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { hasTerminal, onTerminal } from './on-terminal.ts';
import { openWorkplace, type Workplace } from './run-builder.ts';

const template = fileURLToPath(new URL('../templates/backend/_package.json', import.meta.url));
const repository = fileURLToPath(new URL('../../../package.json', import.meta.url));
let place: Workplace;

beforeEach(async () => {
  place = await openWorkplace();
});
afterEach(() => place[Symbol.asyncDispose]());

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(place.project.join(folder), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => `${entry.parentPath}/${entry.name}`);
}

it('makes a package with the name and the id everywhere, and tells the next commands', async () => {
  const { code, stdout } = await place.build('create', 'backend', '@acme/backend-foo');
  expect([code, stdout]).toEqual([0, expect.stringContaining('cd backend-foo && npm install')]);
  const files = await filesBelow('backend-foo');
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  expect(texts.filter((text) => /__[A-Z]/.test(text))).toEqual([]);
  expect(files.filter((file) => /\/_/.test(file))).toEqual([]);
  const json = JSON.parse(await readFile(place.project.join('backend-foo', 'package.json'), 'utf8')) as object;
  expect(json).toMatchObject({ name: '@acme/backend-foo', forgejoRunner: { api: 1, backends: ['foo'] } });
  expect(await readFile(place.project.join('backend-foo', 'src', 'factory.ts'), 'utf8')).toContain("id: 'foo'");
  expect(await readFile(place.project.join('backend-foo', '.gitignore'), 'utf8')).toContain('node_modules');
});

it('takes another id and folder, and answers as JSON', async () => {
  const args = ['create', 'backend', 'runner-in-space', '--id', 'orbit', '--dir', 'a/b', '--log-format', 'json'];
  const { code, stdout } = await place.build(...args);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ event: 'created', id: 'orbit', dir: place.project.join('a', 'b') });
  expect(await readFile(place.project.join('a', 'b', 'README.md'), 'utf8')).toContain('# runner-in-space');
});

it.each([
  [['Not A Name'], 'FRB104 expected the name of an npm package, found "Not A Name"'],
  [['../../etc/passwd'], 'FRB104 expected the name of an npm package, found "../../etc/passwd"'],
  [['@acme/backend-foo', '--id', 'Foo Bar'], 'FRB104 expected the id of a backend, found "Foo Bar"'],
  [['@acme/backend-9to5'], 'FRB104 expected the id of a backend, found "9to5"'],
  [[], 'FRB101 create backend: expected the name of the package, found none'],
])('makes nothing of %j, and says why', async (args, message) => {
  const { code, stderr } = await place.build('create', 'backend', ...args);
  expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  expect(await readdir(place.project.path)).toEqual(['package.json']);
});

it('overwrites nothing, and fills a folder that is empty', async () => {
  await place.project.write({ 'backend-foo/precious.txt': 'mine', 'empty/.keep': '' });
  const refused = await place.build('create', 'backend', '@acme/backend-foo');
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringMatching(/FRB103 expected an empty folder or none at \S+\/backend-foo, found precious\.txt/),
  ]);
  expect(await readdir(place.project.join('backend-foo'))).toEqual(['precious.txt']);
  const other = await place.build('create', 'backend', '@acme/backend-foo', '--dir', 'package.json');
  expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('found a file')]);
  const names = (await readdir(place.project.path)).toSorted();
  expect(names).toEqual(['backend-foo', 'empty', 'package.json']);
});

it.runIf(hasTerminal())('asks on a terminal for what it was not told, until the answers can be right', async () => {
  const { code, stdout } = await onTerminal(place.command('create', 'backend'), [
    { prompt: 'Name of the npm package: ', typed: 'No Name' },
    { prompt: 'Name of the npm package: ', typed: '@acme/backend-foo' },
    { prompt: 'Id of the backend in labels (foo): ', typed: 'bar' },
    { prompt: 'Folder (backend-foo): ', typed: '' },
  ]);
  expect(stdout).toContain('expected the name of an npm package, found "No Name"');
  expect(code).toBe(0);
  expect(await readFile(place.project.join('backend-foo', 'src', 'factory.ts'), 'utf8')).toContain("id: 'bar'");
});

it('wants what this repository is built and tested with', async () => {
  const { devDependencies, dependencies } = JSON.parse(await readFile(template, 'utf8')) as Ranges;
  const own = (JSON.parse(await readFile(repository, 'utf8')) as Ranges).devDependencies;
  const wanted = Object.entries(devDependencies).filter(([name]) => !name.startsWith('@forgejo-runner/'));
  expect(wanted.map(([name]) => name)).toEqual(['@types/node', 'oxlint', 'typescript', 'vitest']);
  for (const [name, range] of wanted) expect([name, range]).toEqual([name, `^${own[name]}`]);
  const builder = fileURLToPath(new URL('../package.json', import.meta.url));
  expect(dependencies['zod']).toBe(`^${(JSON.parse(await readFile(builder, 'utf8')) as Ranges).dependencies['zod']}`);
});

interface Ranges {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}
