// Overhead of a step: a job of 50 steps `run: true` on the host backend, over spawning the same shell 50 times.
// node bench/exec-steps.ts [runner.mjs]; without a runner it builds one.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const steps = 50;
const rounds = 5;
const folder = mkdtempSync(join(tmpdir(), 'bench-steps-'));
const runner = process.argv[2] === undefined ? buildRunner() : resolve(process.argv[2]);
try {
  const script = join(folder, 'script.sh');
  writeFileSync(script, 'true\n');
  const many = workflow('many.yml', steps);
  const none = workflow('one.yml', 1);
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    // Interleaved, so that a busy machine slows both; the run of one step takes start and end out of the count.
    const bare = time(() => {
      for (let step = 1; step < steps; step += 1)
        run('bash', ['--noprofile', '--norc', '-e', '-o', 'pipefail', script]);
    });
    const start = time(() => exec(none));
    const whole = time(() => exec(many));
    const perStep = (whole - start) / (steps - 1);
    ratios.push(perStep / (bare / (steps - 1)));
    console.log(
      `step ${perStep.toFixed(2)} ms, bare shell ${(bare / (steps - 1)).toFixed(2)} ms, start and end ${start.toFixed(0)} ms`,
    );
  }
  console.log(`a step costs ${median(ratios).toFixed(2)} times a bare shell (median of ${rounds})`);
} finally {
  rmSync(folder, { recursive: true });
}

function buildRunner(): string {
  const output = join(folder, 'forgejo-runner.mjs');
  const builder = fileURLToPath(new URL('../packages/builder/bin/forgejo-runner-build.mjs', import.meta.url));
  run(process.execPath, [builder, '--output', output]);
  return output;
}

function workflow(name: string, count: number): string {
  const file = join(folder, name);
  const list = Array.from({ length: count }, () => '      - run: true\n        shell: bash').join('\n');
  writeFileSync(file, `on: push\njobs:\n  bench:\n    runs-on: here\n    steps:\n${list}\n`);
  return file;
}

function exec(file: string): void {
  run(process.execPath, [runner, 'exec', '-W', file, '-C', folder, '-P', 'here=host']);
}

function run(command: string, args: readonly string[]): void {
  const ended = spawnSync(command, args, { stdio: 'ignore' });
  if (ended.status !== 0) throw new Error(`${command} ended with ${ended.status}`);
}

function time(work: () => void): number {
  const from = performance.now();
  work();
  return performance.now() - from;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
