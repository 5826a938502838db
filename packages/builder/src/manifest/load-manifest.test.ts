import { readFileSync } from 'node:fs';
import { openTempFolder } from '@forgejo-runner/testkit';
import { assert, constantFrom, property, string } from 'fast-check';
import { expect, it } from 'vitest';
import { UserError, UserErrors } from '../user-error.ts';
import { loadManifest } from './load-manifest.ts';
import { manifestJsonSchema } from './manifest-schema.ts';
import { openProject } from './project.ts';
import { readManifest } from './read-manifest.ts';

const main = 'forgejo-runner.build.yaml';

/** What is wrong with a manifest, each with its place from the file name on. */
function complaints(text: string): readonly string[] {
  try {
    readManifest(text, main);
    return [];
  } catch (error) {
    const errors = error instanceof UserErrors ? error.errors : [error];
    return errors.map((one) =>
      one instanceof UserError ? `${one.where}: ${one.code} ${one.message}` : `not ours: ${String(one)}`,
    );
  }
}

it.each([
  ['', []],
  ['with: [a, "b@^1"]\n', []],
  ['{"with": ["a"], "sea": true}', []],
  ['wiht: [a]\n', [`${main}:1:1: FRB205 unknown key "wiht"; did you mean "with"`]],
  [
    'sea: true\nallow_untyped: [a]\n',
    [`${main}:2:1: FRB205 unknown key "allow_untyped"; did you mean "allow-untyped"`],
  ],
  ['zzz: 1\n', [`${main}:1:1: FRB205 unknown key "zzz"`]],
  ['with: a\n', [`${main}:1:7: FRB205 with: expected a list, found string`]],
  ['with:\n  - a\n  - 3\n', [`${main}:3:5: FRB205 with.1: expected a text, found number`]],
  ['with: [""]\n', [`${main}:1:8: FRB205 with.0: expected a text, found an empty one`]],
  ['replace: [a]\n', [`${main}:1:10: FRB205 replace: expected a mapping of names to texts, found array`]],
  ['strict: maybe\n', [`${main}:1:9: FRB205 strict: expected true or false, found string`]],
  ['- a\n', [`${main}:1:1: FRB205 expected a mapping of settings, found array`]],
  ['with: [a\n', [expect.stringContaining(`${main}:2:1: FRB205 Flow sequence`) as string]],
  ['sea: true\nsea: false\n', [`${main}:2:1: FRB205 Map keys must be unique`]],
  ['extends: 3\n', [`${main}:1:10: FRB205 extends: expected a text or a list of texts, found something else`]],
  [
    'wiht: [a]\nsea: 1\n',
    [
      `${main}:2:6: FRB205 sea: expected true or false, found number`,
      `${main}:1:1: FRB205 unknown key "wiht"; did you mean "with"`,
    ],
  ],
])('says of %j what is wrong and where', (text, expected) => {
  expect(complaints(text).toSorted()).toEqual(expected.toSorted());
});

it('takes any text without breaking', () => {
  assert(
    property(
      string({
        unit: constantFrom('a', ':', ' ', '\n', '-', '[', ']', '{', '"', '&x', '*x', '<<', 'with', '!!js '),
      }),
      (text) => {
        expect(complaints(text).filter((line) => line.startsWith('not ours'))).toEqual([]);
      },
    ),
  );
});

it('refuses an alias bomb', () => {
  const levels = ['a: &a0 [x, x]', ...Array.from({ length: 30 }, (_, n) => `a${n}: &a${n + 1} [*a${n}, *a${n}]`)];
  expect(complaints(levels.join('\n'))).toEqual([expect.stringContaining('FRB205') as string]);
});

async function project(files: Readonly<Record<string, string>>, flags: object = {}): Promise<object> {
  await using folder = await openTempFolder();
  await folder.write(files);
  const { manifest, output } = await openProject({ cwd: folder.path, flags, version: '1.0.0' });
  const text = JSON.stringify(
    {
      with: manifest.backends.map((spec) => (spec.kind === 'path' ? spec.path : spec.text)),
      replace: Object.fromEntries(manifest.replacements),
      strict: manifest.isStrict,
      output,
    },
    undefined,
    1,
  );
  return JSON.parse(text.replaceAll(folder.path, '.')) as object;
}

it('reads paths from the folder of the file that they stand in, and puts flags on top', async () => {
  const files = {
    'base/base.yaml': 'with: [./near, "b@^1", "c@^1"]\nreplace: { zod: ./zod }\noutput: out.mjs\nstrict: true\n',
    [main]: 'extends: base/base.yaml\nwith: ["b@^2"]\nwithout: [host, c]\n',
  };
  expect(await project(files)).toEqual({
    with: ['./base/near', 'b@^2'],
    replace: { zod: './base/zod' },
    strict: true,
    output: { output: './base/out.mjs' },
  });
  expect(
    await project(files, { with: ['d', '@forgejo-runner/backend-host'], without: ['b'], strict: false }),
  ).toMatchObject({
    with: ['./base/near', 'd', '@forgejo-runner/backend-host'],
    strict: false,
  });
});

it('is all defaults in a folder without a manifest', async () => {
  expect(await project({})).toEqual({
    with: ['@forgejo-runner/backend-host@1.0.0'],
    replace: {},
    strict: false,
    output: {},
  });
});

async function failing(files: Readonly<Record<string, string>>): Promise<string> {
  await using folder = await openTempFolder();
  await folder.write(files);
  const { promise, resolve } = Promise.withResolvers<string>();
  await loadManifest(folder.join(main)).then(
    () => resolve('nothing'),
    (error: unknown) => {
      const errors = error instanceof UserErrors ? error.errors : [error as UserError];
      resolve(errors.map(({ where, code, message }) => `${where}: ${code} ${message}`).join('\n'));
    },
  );
  return (await promise).replaceAll(folder.path, '.');
}

it.each([
  [
    { [main]: 'extends: nowhere.yaml\n' },
    `./${main}:1:10: FRB206 extends: "nowhere.yaml": expected a manifest at ./nowhere.yaml, but it cannot be read (ENOENT)`,
  ],
  [
    { [main]: 'extends: [a.yaml]\n', 'a.yaml': `extends: ${main}\n` },
    `./a.yaml:1:10: FRB205 extends: "${main}" extends itself`,
  ],
  [
    { [main]: 'with:\n  - a\n  - NOT A NAME\n  - b@!x\n' },
    `./${main}:3:5: FRB201 with "NOT A NAME": expected a package name, found "NOT A NAME"\n./${main}:4:5: FRB201 with "b@!x": expected a version, a range or a tag after "@", found "!x"`,
  ],
])('says of %j: %s', async (files, expected) => {
  expect(await failing(files as Readonly<Record<string, string>>)).toBe(expected);
});

it('says where something is left out that is not there', async () => {
  await expect(project({ 'a.yaml': 'with: [b]\n', [main]: 'extends: a.yaml\nwithout: [c]\n' })).rejects.toMatchObject({
    code: 'FRB204',
    where: expect.stringMatching(/forgejo-runner\.build\.yaml:2:11$/) as string,
    message: '--without "c": expected one of host, b, found a name that is no default backend',
  });
});

it('takes whose runner it is from the manifest, key by key over what it extends', async () => {
  await using folder = await openTempFolder();
  await folder.write({
    'base/base.yaml': 'distribution: { name: base, vendor: Acme, version: 1.0.0, files: files }\n',
    [main]: 'extends: base/base.yaml\ndistribution: { name: acme-runner, title: "Acme Läufer" }\n',
  });
  const { distribution } = await openProject({ cwd: folder.path, version: '1.0.0' });
  expect(distribution).toEqual({
    name: 'acme-runner',
    vendor: 'Acme',
    version: '1.0.0',
    title: 'Acme Läufer',
    files: folder.join('base/files'),
  });
});

it.each([
  ['nam: x', '1:17: FRB205 unknown key "nam"; did you mean "name"'],
  ['name: A B', '1:23: FRB205 distribution.name: expected a name of a-z, 0-9, "-" and "."'],
  ['name: ../x', '1:23: FRB205 distribution.name: expected a name of a-z, 0-9, "-" and "."'],
  ['version: v1', '1:26: FRB205 distribution.version: expected a version such as 1.2.3'],
  ['version: 1.2', '1:26: FRB205 distribution.version: expected a text, found number'],
  [
    'support: "javascript:alert(1)"',
    '1:26: FRB205 distribution.support: expected an address that begins with https://',
  ],
  ['title: "a\\e[1m"', '1:24: FRB205 distribution.title: expected a line of at most 200 characters'],
])('refuses a distribution with %s', async (text, expected) => {
  expect(await failing({ [main]: `distribution: { ${text} }\n` })).toBe(`./${main}:${expected}`);
});

it('publishes its schema', () => {
  const file = new URL('../../manifest.schema.json', import.meta.url);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(manifestJsonSchema());
});
