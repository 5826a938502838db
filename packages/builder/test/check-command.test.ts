import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { fixture, openWorkplace, type Workplace } from './run-builder.ts';

let place: Workplace;
let dir: string;

beforeAll(async () => {
  place = await openWorkplace();
  dir = place.project.join('backend');
});
afterAll(() => place[Symbol.asyncDispose]());
beforeEach(() => rm(dir, { recursive: true, force: true }));

interface Found {
  readonly rule: string;
  readonly severity: string;
  readonly message: string;
  readonly where: string;
  readonly isFixable: boolean;
}

/** Lays a package of the fixtures in the project folder, with all that `check` asks for, and changes it. */
async function layPackage(
  name: string,
  change: (json: Record<string, unknown>) => void = () => undefined,
): Promise<void> {
  await cp(fixture(name), dir, { recursive: true });
  const json = await readJson();
  Object.assign(json, {
    description: 'Runs nothing',
    sideEffects: true,
    engines: { node: '>=26' },
    license: json['license'] ?? 'MIT',
    keywords: ['forgejo-runner-backend'],
    peerDependencies: json['peerDependencies'] ?? { '@forgejo-runner/core': '^1.0.0' },
  });
  change(json);
  await writeFile(path.join(dir, 'package.json'), `${JSON.stringify(json, undefined, '\t')}\n`);
  const ids = (json['forgejoRunner'] as { backends?: string[] } | undefined)?.backends ?? [];
  await writeFile(path.join(dir, 'README.md'), `# ${String(json['name'])}\n\nBackends: ${ids.join(', ')}\n`);
  await writeFile(path.join(dir, 'LICENSE'), 'MIT License\n');
}

async function readJson(): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(path.join(dir, 'package.json'), 'utf8')) as Record<string, unknown>;
}

/** Runs `check` and returns what it found and mended. */
async function check(...args: readonly string[]): Promise<{
  readonly code: number | null;
  readonly findings: readonly Found[];
  readonly mended: readonly Found[];
  readonly stdout: string;
}> {
  const { code, stdout } = await place.build('check', 'backend', '--log-format', 'json', ...args);
  const events = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { event: string; findings: Found[]; mended: Found[] });
  const checked = events.find(({ event }) => event === 'checked');
  return { code, stdout, findings: checked?.findings ?? [], mended: checked?.mended ?? [] };
}

const short = ({ rule, message, where }: Found): string => `${rule} ${path.basename(where)} ${message}`;

it('has nothing against a package as it should be, and tells what it costs', async () => {
  await layPackage('good');
  const ended = await place.build('check', 'backend');
  expect(ended.stdout).toMatch(
    /^@acme\/backend-good@1\.0\.0: 0 errors, 0 warnings; adds \d+ B to a runner; imported in \d+ ms; download of \d+ B\n$/,
  );
  expect(ended.code).toBe(0);
});

it('names all that is wrong in package.json, where it stands, and mends what it can', async () => {
  await layPackage('good', (json) => {
    Object.assign(json, {
      description: ' ',
      private: true,
      sideEffects: false,
      license: 'Beer',
      keywords: ['sandbox'],
      engines: { node: '^20' },
      scripts: { postinstall: 'node build.js' },
      exports: { '.': { default: './index.js', types: './index.d.ts' } },
      peerDependencies: undefined,
      dependencies: { '@forgejo-runner/core': '1.0.0' },
      devDependencies: { '@forgejo-runner/testkit': '^1.0.0', '@forgejo-runner/kit': '^0.9.0' },
    });
  });
  await writeFile(path.join(dir, 'README.md'), 'Words.');
  await rm(path.join(dir, 'LICENSE'));
  await writeFile(path.join(dir, 'key.pem'), 'secret');
  const found = await check();
  expect(found.code).toBe(7);
  expect(found.findings.map(short).toSorted()).toMatchInlineSnapshot(`
    [
      "description package.json:21:17 expected a description, found none",
      "engines package.json:24:11 expected engines.node to take Node 26.10.0, which runners are built with, found "^20"",
      "exports package.json:8:15 pkg.exports["."].default should be the last in the object so it doesn't take precedence over the keys following it.",
      "exports package.json:9:13 pkg.exports["."].types should be the first in the object as conditions are order-sensitive so it can be resolved by TypeScript.",
      "install-scripts package.json:28:18 expected nothing to run at installation, found the script "postinstall"",
      "keyword package.json:12:14 expected the keyword forgejo-runner-backend, found "sandbox"",
      "license backend expected the text of the licence in a file LICENSE, found none",
      "license package.json:4:13 expected an SPDX licence expression such as "MIT", found "Beer"",
      "own-versions package.json:35:26 expected @forgejo-runner/kit in a range that takes 1.0.0, the version of this builder, found "^0.9.0"",
      "peer package.json:31:27 expected @forgejo-runner/core in peerDependencies, found it in dependencies",
      "private package.json:26:13 expected a package that can be published, found "private": true",
      "readme README.md expected the README to name "@acme/backend-good", found it nowhere in it",
      "readme README.md expected the README to name "good", found it nowhere in it",
      "secrets package.json expected nothing secret among what is published, found "key.pem"",
      "side-effects package.json:22:17 expected sideEffects to be true, found false: a bundler may drop the registration",
    ]
  `);
  const before = found.findings.filter(({ isFixable }) => isFixable).map(({ rule }) => rule);

  const fixed = await check('--fix');
  expect(fixed.mended.map(({ rule }) => rule).toSorted()).toEqual(before.toSorted());
  expect(fixed.findings.some(({ isFixable }) => isFixable)).toBe(false);
  expect(await readFile(path.join(dir, 'package.json'), 'utf8')).toMatch(/^\{\n\t"name"[^]*\}\n$/);
  expect(await readJson()).toMatchObject({
    sideEffects: true,
    keywords: ['sandbox', 'forgejo-runner-backend'],
    engines: { node: '>=26' },
    peerDependencies: { '@forgejo-runner/core': '^1.0.0' },
    devDependencies: { '@forgejo-runner/core': '^1.0.0', '@forgejo-runner/kit': '^1.0.0' },
  });
  expect(Object.keys((await readJson()) as object)).not.toContain('dependencies');
});

it.each([
  ['missing-member', 'types', /^FRB404 .*has no "sweep"/],
  ['registers-nothing', 'build', /^FRB501 .*registered no backend/],
  ['not-a-backend', 'field', /no "forgejoRunner" field/],
  ['malformed-field', 'field', /forgejoRunner\./],
  ['other-major', 'build', /^FRB401 .*speaks API 1/],
  ['reads-file-beside', 'hazards', /^FRB502 /],
])('finds by a trial build what keeps %s from being used', async (name, rule, message) => {
  await layPackage(name);
  const { findings } = await check();
  expect(findings).toContainEqual(expect.objectContaining({ rule, message: expect.stringMatching(message) }));
});

it('remarks on size and import time beyond what was allowed, which only --strict makes errors', async () => {
  await layPackage('good');
  const limits = ['--max-size', '1B', '--max-import', '0'];
  const found = await check(...limits);
  expect([found.code, found.findings.map(({ rule }) => rule)]).toEqual([0, ['size', 'import-time']]);
  expect((await check(...limits, '--strict')).code).toBe(7);
});

it('tells of a dependency that would be in a runner twice', async () => {
  await layPackage('good', (json) => (json['dependencies'] = { yaml: '^1.0.0' }));
  await place.project.write({
    'backend/node_modules/yaml/package.json': '{"name":"yaml","version":"1.0.0","license":"MIT","main":"index.js"}',
    'backend/node_modules/yaml/index.js': 'exports.parse = () => undefined;',
  });
  const index = path.join(dir, 'index.js');
  await writeFile(index, `import { parse } from 'yaml';\nparse('');\n${await readFile(index, 'utf8')}`);
  const { findings } = await check();
  expect(findings.map(short)).toEqual([expect.stringMatching(/^two-copies package\.json:\d+:\d+ .*1\.0\.0 and 2\./)]);
});

it('says where it expected a package', async () => {
  const ended = await place.build('check', 'nowhere');
  expect([ended.code, ended.stderr]).toEqual([2, expect.stringContaining('FRB202')]);
});
