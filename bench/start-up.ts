// Start of a built runner: `--version` and `list-backends` over Node's own start.
// node --conditions=@forgejo-runner/source bench/start-up.ts [runner.mjs]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const rounds = 25;
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'bench-start-'));
try {
  const runner = process.argv[2] === undefined ? bundle() : resolve(process.argv[2]);
  const empty = join(folder, 'empty.mjs');
  writeFileSync(empty, '');
  const times = { bare: [] as number[], version: [] as number[], backends: [] as number[] };
  // Interleaved, so that a busy machine slows all three.
  for (let round = 0; round < rounds; round += 1) {
    times.bare.push(time([empty]));
    times.version.push(time([runner, '--version']));
    times.backends.push(time([runner, 'list-backends', '--json']));
  }
  console.log(`bundle ${(statSync(runner).size / 1024).toFixed(0)} KiB, ${rounds} rounds`);
  // On a busy machine the fastest says more: it waited for nobody.
  for (const [name, pick] of [
    ['median', median],
    ['fastest', fastest],
  ] as const) {
    const bare = pick(times.bare);
    console.log(`${name}: bare Node ${bare.toFixed(1)} ms`);
    print('--version', pick(times.version), bare);
    print('list-backends', pick(times.backends), bare);
  }
} finally {
  rmSync(folder, { recursive: true });
}

/** As `forgejo-runner-build` makes it, with the backends that it has by default. */
function bundle(): string {
  const outfile = join(folder, 'runner.mjs');
  const builder = join(root, 'packages/builder/bin/forgejo-runner-build.mjs');
  const ended = spawnSync(process.execPath, [builder, '--no-manifest', '--output', outfile], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (ended.status !== 0) throw new Error(`the builder ended with ${ended.status}: ${ended.stderr}`);
  return outfile;
}

function time(args: readonly string[]): number {
  const start = performance.now();
  const ended = spawnSync(process.execPath, args, {
    cwd: folder,
    env: { PATH: process.env['PATH'] },
    encoding: 'utf8',
  });
  if (ended.status !== 0) throw new Error(`${args.join(' ')} ended with ${ended.status}: ${ended.stderr}`);
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function fastest(values: readonly number[]): number {
  return Math.min(...values);
}

function print(what: string, ms: number, bare: number): void {
  console.log(
    `${what.padEnd(14)} ${ms.toFixed(1)} ms, ${(ms - bare).toFixed(1)} ms over bare Node, ratio ${(ms / bare).toFixed(2)}`,
  );
}
