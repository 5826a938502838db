import { spawnSync } from 'node:child_process';
import { chmod, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  checkWorkflowRun,
  type LocalRegistry,
  loadWorkflowCases,
  openTempFolder,
  startLocalRegistry,
  type TempFolder,
} from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltRunner, buildRunner } from './built-runner.ts';
import { publishInstalled } from './publish-installed.ts';
import { isOnPath, runCase } from './run-exec.ts';
import { type Finished, runProgram } from './run-program.ts';
import { turnstile } from './turnstile.ts';

const repository = fileURLToPath(new URL('..', import.meta.url));
const path = process.env['PATH'] ?? '';
const pass = turnstile(availableParallelism());
const opened = new AsyncDisposableStack();
let registry: LocalRegistry;
let work: TempFolder;
let runner: BuiltRunner;

/** What the author of the package and the builder need of a registry; the rest of the repository is not in it. */
const needed = ['zod', 'tar-stream', 'typescript', '@types/node'];

describe.skipIf(whyNot() !== undefined)(`a backend of a third party${whyNot() ?? ''}`, () => {
  beforeAll(async () => {
    const built = spawnSync('tsc', ['-b', 'packages/core', 'packages/kit'], { cwd: repository, encoding: 'utf8' });
    if (built.status !== 0) throw new Error(`tsc: ${built.stdout}${built.stderr}`);
    registry = opened.use(await startLocalRegistry());
    work = opened.use(await openTempFolder());
    // The backend runs jobs as another user, who needs a way to the temporary folder.
    await chmod(work.path, 0o711);
    await publishInstalled(registry, needed);
    for (const name of ['core', 'kit']) await registry.publish(join(repository, 'packages', name));
    await publishExample(registry, work);
    runner = opened.use(await buildRunner(['--with', '@acme/backend-chroot'], await readFile(registry.npmrc, 'utf8')));
  });

  afterAll(() => opened.disposeAsync());

  it('is packed without its sources', async () => {
    const packed = await npm(work.join('package'), 'pack', '--json', '--dry-run');
    // The output of `npm pack --json`, as npm documents it.
    const [{ files }] = JSON.parse(packed.stdout) as [{ files: { path: string }[] }];
    const folders = new Set(files.map((file) => file.path.split('/')[0]));
    expect(folders).toEqual(new Set(['LICENSE', 'README.md', 'dist', 'package.json']));
  });

  it('is built in by its name', async () => {
    const { stdout } = await start('list-backends', '--json');
    // The documented output of the command.
    const { backends } = JSON.parse(stdout) as { backends: { id: string; package: string; version: string }[] };
    expect(backends).toContainEqual(
      expect.objectContaining({ id: 'chroot', package: '@acme/backend-chroot', version: '1.0.0' }),
    );
    expect(backends.map(({ id }) => id).toSorted()).toEqual(['chroot', 'host']);
  });

  it('is nothing that the builder or the runner knows', async () => {
    const knowing: string[] = [];
    for (const name of ['builder', 'runner', 'core', 'kit']) {
      const folder = join(repository, 'packages', name, 'src');
      for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || entry.name.endsWith('.test.ts')) continue;
        const text = await readFile(join(entry.parentPath, entry.name), 'utf8');
        if (/chroot/i.test(text)) knowing.push(entry.name);
      }
    }
    expect(knowing).toEqual([]);
  });

  it('runs a workflow on its label, in its sandbox', async () => {
    await using project = await openTempFolder();
    await project.write({ 'work/.forgejo/workflows/sandbox.yml': workflow, 'work/data.txt': 'of the repository\n' });
    await chmod(project.path, 0o711);
    await writeFile(project.join('config.yml'), `backend:\n  chroot:\n    workdir_parent: ${project.path}\n`);
    const args = [
      '-c',
      project.join('config.yml'),
      'exec',
      '-C',
      project.join('work'),
      '-P',
      'small=chroot?network=none',
    ];
    const { code, stdout, stderr } = await start(...args, '-W', project.join('work', '.forgejo', 'workflows'));
    expect(stderr).toBe('');
    const rows = stdout.split('\n').map((row) => row.trim());
    expect(rows).toContain('of the repository');
    expect(rows).toContain('this machine: dev etc home lib opt proc run tmp usr var workspace');
    expect(rows).toContain('network: lo');
    expect(rows).toContain('container');
    expect(rows).toContain('from the first step');
    expect(code).toBe(0);
    const [parent = ''] = (await readdir(project.path)).filter((name) => name.startsWith('acme-chroot-'));
    expect(await readdir(project.join(parent))).toEqual([]);
  });

  it('has wrong options of its labels and its section refused all at once, with what was meant', async () => {
    await using project = await openTempFolder();
    const config = [
      'runner:',
      '  labels:',
      '    small: { backend: chroot, backend-options: { netwrok: none } }',
      '    other: { backend: chroto }',
      'backend:',
      '  chroot: { mounts: [] }',
      '  host: { env_alow: [] }',
      '',
    ].join('\n');
    await project.write({ '.forgejo/workflows/sandbox.yml': workflow, 'config.yml': config });
    const file = project.join('config.yml');
    const flags = ['-C', project.path, '-W', project.join('.forgejo', 'workflows'), '-P', 'more=host'];
    const { code, stderr } = await start('exec', '-c', file, ...flags);
    expect(code).toBe(1);
    // The way there, as seen from where the runner was started.
    const shown = stderr.split('\n').filter((line) => line.startsWith('  '));
    expect(shown.map((line) => line.replace(/^ {2}\.\.\/[^/]+\/config\.yml:/, ''))).toEqual([
      '3:50: label "small" for backend "chroot": unknown option "netwrok"; did you mean "network"',
      '4:5: label "other": this runner has no backend "chroto"; did you mean "chroot"',
      '7:11: backend.host: unknown option "env_alow"; did you mean "env_allow"',
    ]);
  });

  const topics = ['actions/', 'files/', 'steps/', 'env/', 'refuse/'];
  const cases = loadWorkflowCases().filter(
    ({ name, needs }) => topics.some((topic) => name.startsWith(topic)) && !needs.includes('no-bash'),
  );

  it.concurrent.for(cases)('$name: $title', async (one, { skip }) => {
    skip(one.needs.includes('bash') && !(await isOnPath('bash', '/bin')), 'needs bash');
    const observed = await pass(() => runCase(one, { runner: runner.command, backend: 'chroot', path }));
    expect(checkWorkflowRun(one.expect, observed)).toEqual([]);
  });
});

const workflow = `on: push
jobs:
  sandbox:
    runs-on: small
    steps:
      - run: |
          cat data.txt
          echo "this machine: $(ls -d /*/ | tr -d / | grep -v '^s\\?bin$' | grep -v '^lib.' | tr '\\n' ' ' | sed 's/ $//')"
          echo "network: $(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ')"
          echo "LATER=from the first step" >> "$GITHUB_ENV"
      - run: test "$(id -u)" = 0 && test ! -e /root && echo container
      - run: echo "$LATER"
`;

/** A copy of the example, built as its author builds it and published. */
async function publishExample(to: LocalRegistry, folder: TempFolder): Promise<void> {
  const example = join(repository, 'examples', 'backend-acme-chroot');
  const copy = folder.join('package');
  await mkdir(copy);
  for (const name of ['LICENSE', 'README.md', 'package.json', 'tsconfig.json', 'src']) {
    await cp(join(example, name), join(copy, name), { recursive: true });
  }
  await npm(copy, 'install', '--no-audit', '--no-fund', '--ignore-scripts');
  await npm(copy, 'run', 'build');
  await to.publish(copy);
}

async function npm(cwd: string, ...args: readonly string[]): Promise<Finished> {
  const env = {
    PATH: path,
    HOME: work.path,
    npm_config_userconfig: registry.npmrc,
    npm_config_cache: work.join('cache'),
  };
  const ended = await runProgram(['npm', ...args], { cwd, env });
  if (ended.code !== 0) throw new Error(`npm ${args.join(' ')}: ${ended.stderr}${ended.stdout}`);
  return ended;
}

function start(...args: readonly string[]): Promise<Finished> {
  return runProgram([...runner.command, ...args], {
    cwd: work.path,
    env: { PATH: path, HOME: work.path, TMPDIR: work.path, NO_COLOR: '1' },
  });
}

/** Why this machine cannot make the sandbox. In CI that is a failure, elsewhere a reason to skip. */
function whyNot(): string | undefined {
  if (process.env['CI'] !== undefined) return undefined;
  const namespaces = ['--user', '--map-root-user', '--mount', '--pid', '--fork', '--mount-proc'];
  const tried = spawnSync('unshare', [...namespaces, 'true'], { encoding: 'utf8' });
  return tried.status === 0 ? undefined : ` (no sandbox here: ${tried.error?.message ?? tried.stderr.trim()})`;
}
