import { readFile } from 'node:fs/promises';
import { type LocalRegistry, startLocalRegistry } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { publishVariant } from './publish-variant.ts';
import { fixture, listBackends, openWorkplace, type Workplace } from './run-builder.ts';

const main = 'forgejo-runner.build.yaml';
let registry: LocalRegistry;
let npmrc: string;

beforeAll(async () => {
  registry = await startLocalRegistry();
  npmrc = await readFile(registry.npmrc, 'utf8');
  const k8s = { name: '@acme/backend-k8s', description: 'Jobs as pods', forgejoRunner: { api: 1, backends: ['k8s'] } };
  await publishVariant(registry, 'good', { ...k8s, capabilities: [] });
  await publishVariant(registry, 'other-major');
  // The keyword alone proves nothing.
  await publishVariant(registry, 'not-a-backend', { keywords: ['forgejo-runner-backend'] });
}, 120_000);
afterAll(() => registry[Symbol.asyncDispose]());

async function manifestOf(workplace: Workplace): Promise<string> {
  const text = await readFile(workplace.project.join(main), 'utf8');
  return text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .trim();
}

it('writes a manifest, changes it and builds from it', async () => {
  await using workplace = await openWorkplace({ npmrc });
  const runner = `@forgejo-runner/runner=${fixture('runner')}`;
  const init = await workplace.build('init', '--without', 'host', '--replace', runner, '--output', 'out/runner.mjs');
  expect(init).toMatchObject({ code: 0, stderr: '' });
  expect((await workplace.build('add', fixture('good'), fixture('subpath'))).code).toBe(0);
  expect((await workplace.build('remove', '@acme/nothing')).stderr).toContain(
    'FRB207 "@acme/nothing" is not in the manifest',
  );
  expect((await workplace.build('remove', fixture('good'))).code).toBe(0);
  expect(await manifestOf(workplace)).toBe(`without:
  - host
replace:
  "@forgejo-runner/runner": ${fixture('runner')}
output: out/runner.mjs
with:
  - ${fixture('subpath')}`);
  await workplace.project.write({ 'out/.keep': '' });
  expect((await workplace.build()).stderr).not.toContain('FRB');
  expect(await listBackends(workplace.project.join('out/runner.mjs'))).toEqual(['sub']);
  const more = await workplace.build('--with', fixture('good'), '--output', 'more.mjs');
  expect(more.code).toBe(0);
  expect(await listBackends(workplace.project.join('more.mjs'))).toEqual(['good', 'sub']);
  expect((await workplace.build('init')).stderr).toContain(`FRB206 ${workplace.project.join(main)} is there already`);
});

it('says of a wrong manifest what is wrong, where, all at once', async () => {
  await using workplace = await openWorkplace();
  await workplace.project.write({ [main]: 'wiht: [a]\nsea: perhaps\n' });
  const { code, stderr } = await workplace.build();
  expect(stderr).toContain(
    `FRB205 unknown key "wiht"; did you mean "with"\n  at: ${workplace.project.join(main)}:1:1\n`,
  );
  expect(stderr).toContain(
    `FRB205 sea: expected true or false, found string\n  at: ${workplace.project.join(main)}:2:6\n`,
  );
  expect(code).toBe(2);
  expect((await workplace.build('--no-manifest', '--without', 'host', '--with', './nothing')).stderr).toContain(
    'FRB202',
  );
});

it('suggests the manifest that a configuration needs', async () => {
  await using workplace = await openWorkplace({ npmrc });
  await workplace.project.write({
    'config.yml': 'runner:\n  labels: ["pod:k8s", "debian:docker://debian", "x:unheard-of"]\n',
  });
  const { code, stdout, stderr } = await workplace.build('suggest', '--config', 'config.yml');
  expect(stdout).toBe(`# What config.yml needs. Save it as forgejo-runner.build.yaml
with:
  - "@acme/backend-k8s" # k8s: label pod in line 2
  - "@forgejo-runner/backend-docker" # docker: label debian in line 2
  # - PACKAGE # unheard-of: label x in line 2; no package is known that provides it
without:
  - host # no label uses it
`);
  expect(stderr).toContain('no package is known for unheard-of');
  expect(code).toBe(0);
});

it('finds backend packages in the registry, and none that only say so', async () => {
  await using workplace = await openWorkplace({ npmrc });
  const all = JSON.parse((await workplace.build('search', '--json')).stdout) as { packages: { name: string }[] };
  expect(all.packages.map((one) => one.name)).toEqual(['@acme/backend-k8s', '@acme/backend-other-major']);
  expect((await workplace.build('search', 'pods')).stdout).toBe(
    '@acme/backend-k8s@1.0.0  API 1  k8s\n  Jobs as pods\n',
  );
  expect((await workplace.build('search', 'nothing-like-this')).stdout).toBe('no backend package was found\n');
});

it('shows what is known of a package, and whether it fits', async () => {
  await using workplace = await openWorkplace({ npmrc });
  const { stdout } = await workplace.build('info', '@acme/backend-k8s');
  expect(stdout).toMatch(
    /^package {5}@acme\/backend-k8s@1\.0\.0\ndescription Jobs as pods\nbackends {4}k8s\nAPI {9}1\nneeds {7}@forgejo-runner\/core \^1\.0\.0\nlicence {5}MIT\npublished .*\nfits here {3}as far as/,
  );
  const other = JSON.parse((await workplace.build('info', '@acme/backend-other-major', '--json')).stdout) as object;
  expect(other).toMatchObject({
    api: 2,
    problem: expect.stringContaining('FRB401 @acme/backend-other-major@3.0.0 is written for API 2') as string,
  });
  expect((await workplace.build('info', '@acme/nothing')).stderr).toContain('FRB304');
});
