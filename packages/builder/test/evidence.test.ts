import { createHash } from 'node:crypto';
import { appendFile, cp, readFile, stat } from 'node:fs/promises';
import * as Spec from '@cyclonedx/cyclonedx-library/Spec';
import { JsonStrictValidator } from '@cyclonedx/cyclonedx-library/Validation';
import { type LocalRegistry, openTempFolder, startLocalRegistry } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { publishVariant } from './publish-variant.ts';
import { type Ended, fixture, openWorkplace, runBuilt, type Workplace } from './run-builder.ts';

const secret = 'sIlLy-but-secret-0815';
const flags = ['--without', 'host', '--replace', `@forgejo-runner/runner=${fixture('runner')}`];
let registry: LocalRegistry;
let npmrc: string;
let workplace: Workplace;
let built: Ended;

beforeAll(async () => {
  registry = await startLocalRegistry();
  npmrc = `${await readFile(registry.npmrc, 'utf8')}\n//elsewhere.example/:_authToken=${secret}\n`;
  await publishVariant(registry, 'cjs-only', {
    name: '@acme/dep',
    version: '1.0.0',
    license: '(MIT OR Apache-2.0)',
    forgejoRunner: undefined,
  });
  await publishVariant(registry, 'good', { license: 'Odd licence', dependencies: { '@acme/dep': '^1.0.0' } });
  workplace = await open();
  built = await workplace.build(
    ...flags,
    '--with',
    '@acme/backend-good',
    '--evidence',
    'evidence',
    '--output',
    'runner.mjs',
  );
}, 120_000);
afterAll(async () => {
  await workplace[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

async function open(): Promise<Workplace> {
  const opened = await openWorkplace({ npmrc });
  opened.env['NPM_TOKEN'] = secret;
  return opened;
}

async function text(name: string): Promise<string> {
  return readFile(workplace.project.join('evidence', name), 'utf8');
}

interface Component {
  readonly name: string;
  readonly purl?: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly object[];
}

it('writes an SBOM that the schema of CycloneDX takes, of what is really in the runner', async () => {
  expect(built).toMatchObject({ code: 0 });
  const sbom = await text('sbom.cdx.json');
  expect(await new JsonStrictValidator(Spec.Version.v1dot6).validate(sbom)).toBeNull();
  const { components } = JSON.parse(sbom) as { components: readonly Component[] };
  const good = components.find((one) => one.name === 'backend-good');
  expect(good).toMatchObject({
    purl: 'pkg:npm/%40acme/backend-good@1.0.0',
    licenses: [{ license: { name: 'Odd licence' } }],
    hashes: [{ alg: 'SHA-512', content: expect.stringMatching(/^[0-9a-f]{128}$/) as string }],
  });
  // Installed, and used by nobody.
  expect(components.some((one) => one.name === 'dep')).toBe(false);
});

it('tells in a SLSA provenance what it was made from, and of what', async () => {
  const statement = JSON.parse(await text('provenance.intoto.json')) as Record<string, unknown>;
  const runner = await readFile(workplace.project.join('runner.mjs'));
  expect(statement).toMatchObject({
    _type: 'https://in-toto.io/Statement/v1',
    predicateType: 'https://slsa.dev/provenance/v1',
    subject: [{ name: 'runner.mjs', digest: { sha256: createHash('sha256').update(runner).digest('hex') } }],
    predicate: {
      buildDefinition: {
        externalParameters: { format: 'script', manifest: { with: ['@acme/backend-good@latest'], without: ['host'] } },
      },
    },
  });
  expect(JSON.stringify(statement)).toContain('"uri":"pkg:npm/%40acme/backend-good@1.0.0","digest":{"sha512":"');
});

it('writes checksums, licences, and a report that loads nothing from elsewhere', async () => {
  const sums = (await text('SHA256SUMS')).trimEnd().split('\n');
  expect(sums.map((line) => line.slice(66))).toEqual([
    '../runner.mjs',
    'LICENSES.txt',
    'provenance.intoto.json',
    'report.html',
    'sbom.cdx.json',
  ]);
  for (const line of sums) {
    const content = await readFile(workplace.project.join('evidence', line.slice(66)));
    expect(createHash('sha256').update(content).digest('hex')).toBe(line.slice(0, 64));
  }
  expect(await text('LICENSES.txt')).toContain('@acme/backend-good 1.0.0 (Odd licence)');
  const report = await text('report.html');
  expect(report).toContain('@acme/backend-good 1.0.0');
  expect(report).not.toMatch(/<script|<link|src=|https?:/);
});

it('has no secret and no place of this machine in any of it', async () => {
  const names = ['sbom.cdx.json', 'provenance.intoto.json', 'LICENSES.txt', 'report.html'];
  const texts = await Promise.all(names.map(text));
  texts.push(await readFile(workplace.project.join('runner.mjs'), 'utf8'), built.stdout, built.stderr);
  const { hostname } = new URL(registry.url);
  for (const one of texts) expect(one).not.toContain(secret);
  // The last two are what was said to the user, who knows the places.
  for (const one of texts.slice(0, -2)) {
    for (const place of [workplace.cacheDir, fixture(''), hostname]) expect(one).not.toContain(place);
  }
});

it('builds a runner again from what it carries, with another cache, and compares every byte', async () => {
  await using other = await open();
  const runner = workplace.project.join('runner.mjs');
  const same = await other.build('verify', runner, ...flags.slice(2));
  expect(same.stdout).toMatch(/runner\.mjs is what its lock and request make: sha256 [0-9a-f]{64}\n$/);
  expect(same.code).toBe(0);
  const changed = other.project.join('changed.mjs');
  await cp(runner, changed);
  await appendFile(changed, '// one line more\n');
  const differs = await other.build('verify', changed, ...flags.slice(2));
  expect(differs.stderr).toContain('FRB701');
  expect(differs.stderr).toContain('what is around the program: the file was changed after it was built');
  expect(differs.code).toBe(8);
});

it('names the first input that differs', async () => {
  await using other = await open();
  const { project } = other;
  await cp(fixture('runner'), project.join('my-runner'), { recursive: true });
  await appendFile(project.join('my-runner/index.js'), '\nglobalThis.another = true;\n');
  const replace = ['--replace', `@forgejo-runner/runner=${project.join('my-runner')}`];
  const ended = await other.build('verify', workplace.project.join('runner.mjs'), ...replace);
  expect(ended.stderr).toContain('first difference: @forgejo-runner/runner@1.0.0 has other content here');
  expect(ended.code).toBe(8);
  const none = await other.build('verify', fixture('good/index.js'));
  expect(none.stderr).toContain('FRB317');
});

it('makes the same runner for another user, time zone, language, mask and an empty cache', async () => {
  await using other = await open();
  Object.assign(other.env, { TZ: 'Pacific/Auckland', LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8', USER: 'nobody' });
  const mask = process.umask(0o077);
  try {
    const ended = await other.build(...flags, '--with', '@acme/backend-good', '--output', 'elsewhere.mjs');
    expect(ended).toMatchObject({ code: 0 });
  } finally {
    process.umask(mask);
  }
  const file = other.project.join('elsewhere.mjs');
  expect(await readFile(file)).toEqual(await readFile(workplace.project.join('runner.mjs')));
  expect((await stat(file)).mode % 0o1000).toBe(0o755);
});

it('prints them from an executable, with the licence of Node', async () => {
  await using folder = await openTempFolder();
  const executable = folder.join('runner');
  const ended = await workplace.build('--without', 'host', '--with', fixture('good'), '--sea', '--output', executable);
  expect(ended).toMatchObject({ code: 0 });
  const sbom = await runBuilt(executable, 'build-info', '--sbom');
  expect(await new JsonStrictValidator(Spec.Version.v1dot6).validate(sbom.stdout)).toBeNull();
  expect((JSON.parse(sbom.stdout) as { components: readonly Component[] }).components).toContainEqual(
    expect.objectContaining({ type: 'platform', name: 'node' }),
  );
  const provenance = await runBuilt(executable, 'build-info', '--provenance');
  expect(JSON.parse(provenance.stdout)).toMatchObject({ predicateType: 'https://slsa.dev/provenance/v1' });
  expect((await runBuilt(executable, 'build-info', '--licenses')).stdout).toContain(
    'Node.js is licensed for use as follows',
  );
  expect(JSON.parse((await runBuilt(executable, 'build-info', '--lock')).stdout)).toMatchObject({ lockVersion: 1 });
  expect((await runBuilt(executable, 'build-info', '--json')).stdout).not.toContain('evidence');
});
