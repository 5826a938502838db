import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type LocalRegistry, startLocalRegistry } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { publishVariant } from './publish-variant.ts';
import {
  type Ended,
  fixture,
  listBackends,
  openWorkplace,
  runBuilt,
  type Workplace,
  withFixtureRunner,
} from './run-builder.ts';

let registry: LocalRegistry;
let npmrc: string;

beforeAll(async () => {
  registry = await startLocalRegistry();
  // Whoever decides how old a version has to be is the test.
  npmrc = (await readFile(registry.npmrc, 'utf8')).replace('min-release-age=0\n', '');
  const dep = { name: '@acme/dep', forgejoRunner: undefined, license: '(GPL-3.0-only OR AGPL-3.0-only)' };
  const install = "require('node:fs').writeFileSync('made.txt', process.env.OTHER_SECRET || 'made')";
  await publishVariant(registry, 'cjs-only', { ...dep, scripts: { install: `node -e "${install}"` } });
  await publishVariant(registry, 'cjs-only', { ...dep, version: '1.1.0' });
  await publishVariant(registry, 'good', { dependencies: { '@acme/dep': '^1.0.0' } });
}, 120_000);
afterAll(() => registry[Symbol.asyncDispose]());

function build(workplace: Workplace, ...flags: readonly string[]): Promise<Ended> {
  return workplace.build(...withFixtureRunner, '--output', 'runner.mjs', ...flags);
}

it('chooses no version that is too young, whether it is asked for or comes along', async () => {
  await using workplace = await openWorkplace({ npmrc });
  for (const spec of ['@acme/backend-good', '@acme/backend-good@^1', '@acme/backend-good@1.0.0']) {
    const { code, stderr } = await build(workplace, '--with', spec);
    expect(stderr).toMatch(
      /FRB318 @acme\/backend-good@1\.0\.0 was published \d minutes ago, the policy is 3 days; no version is older\n {2}next: wait, or accept the risk: --allow-fresh @acme\/backend-good/,
    );
    expect(code).toBe(3);
  }
  const fresh = ['--with', '@acme/backend-good', '--allow-fresh', '@acme/backend-good'];
  const dep = await build(workplace, ...fresh);
  expect(dep.stderr).toContain(
    'FRB318 no version of @acme/dep is old enough, which @acme/backend-good@1.0.0 depends on',
  );
  expect(dep.stderr).toContain('--allow-fresh @acme/dep');
  expect((await build(workplace, ...fresh, '--allow-fresh', '@acme/dep')).code).toBe(0);
  expect((await build(workplace, '--with', '@acme/backend-good', '--min-release-age', '0')).code).toBe(0);
});

it("leaves the age to npm's own setting where there is one", async () => {
  await using workplace = await openWorkplace({ npmrc: `${npmrc}min-release-age=0\n` });
  expect((await build(workplace, '--with', '@acme/backend-good')).code).toBe(0);
});

const chosen = ['--min-release-age', '0', '--with', '@acme/backend-good@1.0.0'];

it('uses the version of a package that is wanted everywhere', async () => {
  await using workplace = await openWorkplace({ npmrc });
  await workplace.project.write({
    'forgejo-runner.build.yaml': `with: ["@acme/backend-good@1.0.0"]\nwithout: [host]\nmin-release-age: 0\noverride: { "@acme/dep": 1.0.0 }\nreplace: { "@forgejo-runner/runner": ${fixture('runner')} }\n`,
  });
  expect((await workplace.build()).code).toBe(0);
  expect((await workplace.build('why', '@acme/dep')).stdout).toBe('@acme/backend-good@1.0.0 > @acme/dep@1.0.0\n');
});

it('runs install scripts of packages that are named, and no other', async () => {
  await using workplace = await openWorkplace({ npmrc });
  workplace.env['OTHER_SECRET'] = 'of the builder';
  const made = async (): Promise<string> => {
    const { stdout } = await workplace.build('cache', 'ls', '--json');
    const { dir, entries } = JSON.parse(stdout) as { dir: string; entries: { room: string; key: string }[] };
    const trees = entries.filter((one) => one.room === 'trees');
    const texts = trees.map(({ key }) =>
      readFile(`${dir}/trees/${key}/node_modules/@acme/dep/made.txt`, 'utf8').catch(() => 'none'),
    );
    return (await Promise.all(texts)).toSorted().join(' ');
  };
  const old = ['--override', '@acme/dep=1.0.0'];
  expect((await build(workplace, ...chosen, ...old)).code).toBe(0);
  expect(await made()).toBe('none');
  expect((await build(workplace, ...chosen, ...old, '--allow-scripts', '@acme/dep')).stderr).not.toContain('FRB');
  // In the environment of npm, which has nothing of ours.
  expect(await made()).toBe('made none');
});

async function withDependency(workplace: Workplace): Promise<string> {
  const folder = 'local';
  await workplace.project.write({
    [`${folder}/package.json`]: await readFile(`${fixture('good')}/package.json`, 'utf8'),
    [`${folder}/index.d.ts`]: await readFile(`${fixture('good')}/index.d.ts`, 'utf8'),
    [`${folder}/index.js`]: `import 'heavy';\n${await readFile(`${fixture('good')}/index.js`, 'utf8')}`,
    [`${folder}/node_modules/heavy/package.json`]: '{"name":"heavy","version":"2.0.0","license":"GPL-3.0-only"}',
    [`${folder}/node_modules/heavy/index.js`]: `globalThis.heavy = ${JSON.stringify('x'.repeat(5000))};\nconst until = Date.now() + 60; while (Date.now() < until);\n`,
    [`${folder}/node_modules/unused/package.json`]: '{"name":"unused","version":"1.0.0","license":"AGPL-3.0-only"}',
  });
  return `./${folder}`;
}

it('refuses licences that are denied, of what is in the result and nothing else', async () => {
  await using workplace = await openWorkplace();
  const local = await withDependency(workplace);
  const denied = await build(workplace, '--with', local, '--deny-license', 'GPL-*', '--deny-license', 'AGPL-*');
  expect(denied.stderr).toContain('FRB508 heavy@2.0.0 is under GPL-3.0-only, which is denied');
  expect(denied.stderr).not.toContain('unused');
  expect(denied.code).toBe(5);
  expect((await build(workplace, '--with', local, '--deny-license', 'AGPL-*')).code).toBe(0);
});

it.each([
  ['size=1kB', 5, /FRB509 the result has \d+ KiB, its budget is 1000 B; most of it: .*heavy 5 KiB/],
  ['heavy=1kB', 5, /FRB509 heavy weighs 5 KiB; its budget is 1000 B/],
  ['hevay=1kB', 5, /FRB509 hevay is not in the result; its budget is 1000 B/],
  ['start=1ms', 7, /FRB510 the result needs \d+ ms to list its backends, its budget is 1 ms/],
  ['import=20ms', 7, /FRB510 importing @acme\/backend-good takes \d+ ms, its budget is 20 ms/],
  ['size=much', 2, /FRB209 --budget size "much": expected a size/],
])('refuses what is beyond the budget %s', async (budget, code, message) => {
  await using workplace = await openWorkplace();
  const refused = await build(workplace, '--with', await withDependency(workplace), '--budget', budget);
  expect(refused.stderr).toMatch(message);
  expect(refused.code).toBe(code);
});

it('carries a native addon along, and loads it in an empty environment', async ({ skip }) => {
  let addon: string;
  try {
    addon = createRequire(createRequire(import.meta.url).resolve('knip')).resolve(
      '@oxc-resolver/binding-linux-x64-gnu',
    );
  } catch {
    skip('needs the addon of another package, for this platform');
    return;
  }
  await using workplace = await openWorkplace();
  const flags = ['--with', './addon', '--native', '@acme/backend-native-addon=embed'];
  await workplace.project.write({
    'addon/package.json': await readFile(`${fixture('native-addon')}/package.json`, 'utf8'),
    'addon/index.d.ts': await readFile(`${fixture('native-addon')}/index.d.ts`, 'utf8'),
    'addon/crypt.cjs': "exports.kind = () => typeof require('./build/Release/fast.node').ResolverFactory;\n",
    'addon/index.js': (await readFile(`${fixture('good')}/index.js`, 'utf8'))
      .replace("id: 'good'", "id: 'native'")
      .replace('import', "import { kind } from './crypt.cjs';\nimport")
      .replace("new Error('a fixture creates nothing')", "new Error('a ' + kind())"),
    'addon/build/Release/.keep': '',
  });
  const missing = await build(workplace, ...flags);
  expect(missing.stderr).toContain(
    'FRB504 @acme/backend-native-addon is to have its native addon ./build/Release/fast.node embedded, but it is not compiled',
  );
  await writeFile(workplace.project.join('addon/build/Release/fast.node'), await readFile(addon));
  expect((await build(workplace, ...flags)).stderr).not.toContain('FRB');
  const output = workplace.project.join('runner.mjs');
  expect(await listBackends(output)).toEqual(['native']);
  expect((await runBuilt(output, 'create', 'native')).stdout).toBe('Error: a function\n');
});
