import { chmod } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { openTempFolder, runProgram } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { whyNoLxc } from '../packages/backend-lxc/test/lxc-fixture.ts';
import { type BuiltRunner, buildRunner } from './built-runner.ts';
import { findEngine } from './engines.ts';
import { debianSystem } from './images/layers.ts';
import { loadTestImages } from './images/load-images.ts';

// The client of actions/cache, in jobs that are in networks of their own: nothing is configured but where jobs run.

const engine = await findEngine('docker');
const podman = process.env['FORGEJO_RUNNER_NIGHTLY'] === undefined ? undefined : await findEngine('podman');
const opened = new AsyncDisposableStack();
let runner: BuiltRunner;
let client: string;

beforeAll(async () => {
  client = await bundledClient();
  if (engine !== undefined) await loadTestImages(engine.address);
  if (podman !== undefined) await loadTestImages(podman.address);
  const packages = ['@forgejo-runner/backend-docker', '@forgejo-runner/backend-lxc'];
  runner = opened.use(await buildRunner(packages.flatMap((name) => ['--with', name])));
});

afterAll(() => opened.disposeAsync());

/** `actions/cache` in one file, as the action itself is published. */
async function bundledClient(): Promise<string> {
  const source = `
    import { restoreCache, saveCache } from '@actions/cache';
    import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
    const [what, key] = process.argv.slice(-2);
    if (what === 'save') {
      mkdirSync('deps', { recursive: true });
      writeFileSync('deps/file', 'kept as ' + key);
      console.log('saved ' + (await saveCache(['deps'], key) > 0));
    } else {
      rmSync('deps', { recursive: true, force: true });
      console.log('restored ' + await restoreCache(['deps'], key) + ': ' + readFileSync('deps/file'));
    }`;
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL('../packages/runner', import.meta.url)) },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node18',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  return outputFiles[0]?.text ?? '';
}

interface Where {
  /** Backend and argument of the label. */
  readonly backend: string;
  /** Keys of the jobs beside `runs-on` and `steps`. */
  readonly job?: string;
  /** A step that runs the client with these two arguments. */
  readonly step?: (what: string, key: string) => string;
  readonly config?: object;
}

const byShell = (what: string, key: string): string => `run: node client.mjs ${what} ${key}`;

/** Saves in one job, with both APIs, and restores in the next one. @returns the output of the run. */
async function saveAndRestore({ backend, job = '', step = byShell, config = {} }: Where): Promise<string> {
  await using folder = await openTempFolder('forgejo-runner-cache-');
  await chmod(folder.path, 0o711);
  // Clients speak the second API with servers only that they take for GitHub.
  const server = { v1: 'https://codeberg.org', v2: 'https://github.com' };
  const steps = (what: string): string =>
    (['v1', 'v2'] as const)
      .map((api) => `      - ${step(what, `key-${api}`)}\n        env: { GITHUB_SERVER_URL: "${server[api]}" }\n`)
      .join('');
  const one = (name: string, more = ''): string =>
    `  ${name}:\n    runs-on: test\n${job}${more}    steps:\n${steps(name)}`;
  await folder.write({
    'work/.forgejo/workflows/cache.yml': `on: push\njobs:\n${one('save')}${one('restore', '    needs: save\n')}`,
    'work/client.mjs': client,
    'home/.keep': '',
    'config.yml': JSON.stringify({ cache: { dir: folder.join('cache') }, ...config }),
  });
  const { stdout, stderr } = await runProgram(
    [...runner.command, '-c', folder.join('config.yml'), 'exec', '-P', `test=${backend}`],
    {
      cwd: folder.join('work'),
      env: { PATH: process.env['PATH'] ?? '', HOME: folder.join('home'), TMPDIR: folder.path, NO_COLOR: '1' },
    },
  );
  return stdout + stderr;
}

/** What the client said, or all of it where it said too little. */
function saidBy(output: string): readonly string[] {
  const said = output.match(/saved (?:true|false)|restored \S+: .*|not reached.*|Error: .*/g) ?? [];
  return said.length < kept.length ? [output] : said;
}

const kept = ['saved true', 'saved true', 'restored key-v1: kept as key-v1', 'restored key-v2: kept as key-v2'];

const image = 'forgejo-runner-test/debian:1';

it('is kept for jobs in containers', async ({ skip }) => {
  if (engine === undefined) skip('no Docker');
  const output = await saveAndRestore({
    backend: `docker://${image}`,
    config: { container: { docker_host: engine?.address } },
  });
  expect(saidBy(output)).toEqual(kept);
});

it('is kept for jobs in containers of podman', async ({ skip }) => {
  if (podman === undefined) skip('waits for the nightly run, or there is no podman');
  const output = await saveAndRestore({
    backend: `docker://${image}`,
    config: { container: { docker_host: podman?.address } },
  });
  expect(saidBy(output)).toEqual(kept);
});

it('is kept for job containers beside the machine', async ({ skip }) => {
  if (engine === undefined) skip('no Docker');
  const config = { backend: { host: { docker: engine?.address } } };
  const output = await saveAndRestore({ backend: 'host', job: `    container: ${image}\n`, config });
  expect(saidBy(output)).toEqual(kept);
});

it('is kept for Docker actions of jobs on the machine', async ({ skip }) => {
  if (engine === undefined) skip('no Docker');
  const step = (what: string, key: string): string =>
    `uses: docker://${image}\n        with: { entrypoint: node, args: client.mjs ${what} ${key} }`;
  const output = await saveAndRestore({
    backend: 'host',
    step,
    config: { backend: { host: { docker: engine?.address } } },
  });
  expect(saidBy(output)).toEqual(kept);
});

it('is kept for jobs in LXC containers', async ({ skip }) => {
  skip(whyNoLxc !== undefined, whyNoLxc);
  await using storage = await openTempFolder('forgejo-runner-lxc-');
  await chmod(storage.path, 0o711);
  const lxc = { storage: storage.join('lxc'), templates: { test: { rootfs: (await debianSystem()).file } } };
  const output = await saveAndRestore({ backend: 'lxc://test', config: { backend: { lxc } } });
  expect(saidBy(output)).toEqual(kept);
});

it('is no reason for a job to fail that has no network, and its log says what to do', async ({ skip }) => {
  if (engine === undefined) skip('no Docker');
  const output = await saveAndRestore({
    backend: `docker://${image}`,
    step: (what) => `run: echo "${what} [$ACTIONS_CACHE_URL]"`,
    config: { container: { docker_host: engine?.address, network: 'none' } },
  });
  expect(output).toMatch(
    /The cache of the runner is not reached from \S+ at http:\/\/\S+; this job has none.*cache\.host/,
  );
  expect(output).toContain('restore []');
});
