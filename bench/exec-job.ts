// What a whole job costs: `exec` of one step on the host backend, in an empty folder and in a repository of 500 files,
// over `bash -c true` and `cp -R`. node --conditions=@forgejo-runner/source bench/exec-job.ts [runner.mjs]; without one it builds one.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const rounds = 15;
const files = 500;
const folder = mkdtempSync(join(tmpdir(), 'bench-job-'));
try {
  const runner = process.argv[2] === undefined ? buildRunner() : resolve(process.argv[2]);
  const workflow = join(folder, 'one.yml');
  writeFileSync(
    workflow,
    'on: push\njobs:\n  bench:\n    runs-on: here\n    steps:\n      - run: "true"\n        shell: bash\n',
  );
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  const repository = makeRepository();
  const exec = (directory: string) => [runner, 'exec', '-W', workflow, '-C', directory, '-P', 'here=host'];
  const times = {
    bare: [] as number[],
    start: [] as number[],
    empty: [] as number[],
    repository: [] as number[],
    copy: [] as number[],
  };
  // Interleaved, so that a busy machine slows all of them.
  for (let round = 0; round < rounds; round += 1) {
    times.bare.push(time('bash', ['-c', 'true']));
    times.start.push(time(process.execPath, [runner, '--version']));
    times.empty.push(time(process.execPath, exec(empty)));
    times.repository.push(time(process.execPath, exec(repository)));
    times.copy.push(time('cp', ['-R', repository, join(folder, `copy-${round}`)]));
  }
  const bare = median(times.bare);
  const start = median(times.start);
  console.log(`bare shell ${bare.toFixed(1)} ms, start of the runner ${start.toFixed(1)} ms (median of ${rounds})`);
  const inEmpty = median(times.empty);
  const share = ((inEmpty - start) / bare).toFixed(1);
  console.log(
    `a job ${inEmpty.toFixed(1)} ms, ${(inEmpty / bare).toFixed(1)} times a bare shell, ${share} without the start`,
  );
  const more = median(times.repository) - inEmpty;
  const copy = median(times.copy);
  console.log(
    `a repository of ${files} files ${more.toFixed(1)} ms more, ${(more / copy).toFixed(1)} times cp -R (${copy.toFixed(1)} ms)`,
  );
} finally {
  rmSync(folder, { recursive: true });
}

function buildRunner(): string {
  const output = join(folder, 'forgejo-runner.mjs');
  const builder = fileURLToPath(new URL('../packages/builder/bin/forgejo-runner-build.mjs', import.meta.url));
  run(process.execPath, [builder, '--output', output]);
  return output;
}

function makeRepository(): string {
  const repository = join(folder, 'repository');
  for (let file = 0; file < files; file += 1) {
    const place = join(repository, `folder-${file % 20}`);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, `file-${file}.txt`), `${file}\n`.repeat(200));
  }
  const identity = ['-c', 'user.name=Bench', '-c', 'user.email=bench@localhost', '-c', 'commit.gpgsign=false'];
  for (const args of [
    ['init', '-q'],
    ['add', '-A'],
    [...identity, 'commit', '-q', '-m', 'all'],
  ])
    run('git', ['-C', repository, ...args]);
  return repository;
}

function run(command: string, args: readonly string[]): void {
  const ended = spawnSync(command, args, { stdio: 'ignore' });
  if (ended.status !== 0) throw new Error(`${command} ended with ${ended.status}`);
}

function time(command: string, args: readonly string[]): number {
  const from = performance.now();
  run(command, args);
  return performance.now() - from;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
