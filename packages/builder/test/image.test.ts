import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it, type TestContext } from 'vitest';
import { type Ended, fixture, openWorkplace, type Workplace } from './run-builder.ts';

const name = `forgejo-runner-test-${process.pid}`;
const manifest = `without: [host]
with: [${fixture('good')}]
replace: { "@forgejo-runner/runner": ${fixture('runner')} }
distribution: { name: ${name}, version: 1.2.3, vendor: Acme, homepage: "https://acme.example" }
`;
let cache: TempFolder;
let workplace: Workplace;
let built: Ended;

beforeAll(async () => {
  cache = await openTempFolder();
  workplace = await openWorkplace({ cacheDir: cache.path });
  await workplace.project.write({ 'forgejo-runner.build.yaml': manifest });
  built = await workplace.build('--image', 'image.tar', '--evidence', 'evidence');
}, 120_000);
afterAll(async () => {
  await workplace[Symbol.asyncDispose]();
  await cache[Symbol.asyncDispose]();
});

function isThere(engine: string): boolean {
  try {
    execFileSync(engine, [...addressOf(engine), 'version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** The podman that tests are given: its limits are those of this machine. */
function addressOf(engine: string): readonly string[] {
  const address = engine === 'podman' ? process.env['FORGEJO_RUNNER_TEST_PODMAN'] : undefined;
  return address === undefined ? [] : ['--url', address];
}

function skipWithout(engine: string, context: TestContext): void {
  if (process.env['CI'] === undefined && !isThere(engine)) context.skip(`${engine} does not answer`);
}

function run(engine: string, ...args: readonly string[]): string {
  return execFileSync(engine, [...addressOf(engine), ...args], { encoding: 'utf8', stdio: 'pipe' });
}

it.for(['docker', 'podman'])('is loaded and run by %s', (engine, context) => {
  skipWithout(engine, context);
  expect(built).toMatchObject({ code: 0 });
  const loaded = run(engine, 'load', '--input', workplace.project.join('image.tar'));
  const image = /^Loaded image: (.*)$/m.exec(loaded)?.[1] ?? '';
  expect(image).toMatch(new RegExp(`^(?:.*/)?${name}:1\\.2\\.3$`));
  try {
    // Nothing of the surroundings: no network, no writing, no rights.
    const shut = ['run', '--rm', '--network=none', '--read-only', '--cap-drop=ALL', image];
    expect(JSON.parse(run(engine, ...shut, 'list-backends', '--json'))).toMatchObject({ backends: [{ id: 'good' }] });
    const [inspected] = JSON.parse(run(engine, 'image', 'inspect', image)) as { Config: Record<string, unknown> }[];
    expect(inspected?.Config).toMatchObject({
      User: '1000:1000',
      WorkingDir: '/data',
      Entrypoint: ['/bin/forgejo-runner'],
      Labels: { 'org.opencontainers.image.version': '1.2.3', 'org.opencontainers.image.vendor': 'Acme' },
    });
  } finally {
    run(engine, 'rmi', '--force', image);
  }
});

interface Descriptor {
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

it('is an OCI layout in which every blob is what its name says, and the same in every build', async () => {
  await using other = await openWorkplace({ cacheDir: cache.path });
  await other.project.write({ 'forgejo-runner.build.yaml': manifest });
  other.env['TZ'] = 'Asia/Tokyo';
  expect(await other.build('--image', 'layout')).toMatchObject({ code: 0 });
  const read = (file: string): Promise<Buffer> => readFile(other.project.join('layout', file));
  const blob = ({ digest }: Descriptor): Promise<Buffer> => read(`blobs/${digest.replace(':', '/')}`);
  for (const file of await readdir(other.project.join('layout/blobs/sha256'))) {
    expect(
      createHash('sha256')
        .update(await read(`blobs/sha256/${file}`))
        .digest('hex'),
    ).toBe(file);
  }
  const index = JSON.parse((await read('index.json')).toString()) as { manifests: readonly Descriptor[] };
  const [entry] = index.manifests;
  expect(entry?.annotations).toMatchObject({ 'org.opencontainers.image.ref.name': `${name}:1.2.3` });
  const content = JSON.parse((await blob(entry as Descriptor)).toString()) as {
    config: Descriptor;
    layers: readonly Descriptor[];
  };
  const config = JSON.parse((await blob(content.config)).toString()) as { rootfs: { diff_ids: readonly string[] } };
  const tars = await Promise.all(content.layers.map(async (layer) => gunzipSync(await blob(layer))));
  expect(tars.map((tar) => `sha256:${createHash('sha256').update(tar).digest('hex')}`)).toEqual(config.rootfs.diff_ids);
  // The archive of the other project has the very same blobs in it.
  const archive = await readFile(workplace.project.join('image.tar'));
  expect(archive.includes(content.config.digest.slice('sha256:'.length))).toBe(true);
  for (const { digest } of content.layers) expect(archive.includes(digest.slice('sha256:'.length))).toBe(true);
});

it('is among the checksums and the subjects of the provenance', async () => {
  const sums = await readFile(workplace.project.join('evidence/SHA256SUMS'), 'utf8');
  const archive = await readFile(workplace.project.join('image.tar'));
  const sum = createHash('sha256').update(archive).digest('hex');
  expect(sums).toContain(`${sum}  ../image.tar\n`);
  const statement = await readFile(workplace.project.join('evidence/provenance.intoto.json'), 'utf8');
  expect(JSON.parse(statement)).toMatchObject({ subject: [{}, { name: 'image.tar', digest: { sha256: sum } }] });
});

it('refuses a folder with something else in it', async () => {
  await using other = await openWorkplace({ cacheDir: cache.path });
  await other.project.write({ 'forgejo-runner.build.yaml': manifest, 'taken/notes.txt': 'mine' });
  const taken = await other.build('--image', 'taken');
  expect(taken.stderr).toContain('FRB602');
  expect(taken.code).toBe(6);
});
