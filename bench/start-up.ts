// Start of a bundled runner with the host backend: `--version` and `list-backends` over Node's own start.
// node --conditions=@forgejo-runner/source bench/start-up.ts [runner.mjs]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const rounds = 25;
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'bench-start-'));
try {
  const runner = process.argv[2] === undefined ? await bundle() : resolve(process.argv[2]);
  const empty = join(folder, 'empty.mjs');
  writeFileSync(empty, '');
  const times = { bare: [] as number[], version: [] as number[], backends: [] as number[] };
  // Interleaved, so that a busy machine slows all three.
  for (let round = 0; round < rounds; round += 1) {
    times.bare.push(time([empty]));
    times.version.push(time([runner, '--version']));
    times.backends.push(time([runner, 'list-backends', '--json']));
  }
  const bare = median(times.bare);
  console.log(
    `bundle ${(statSync(runner).size / 1024).toFixed(0)} KiB, bare Node ${bare.toFixed(1)} ms (median of ${rounds})`,
  );
  print('--version', median(times.version), bare);
  print('list-backends', median(times.backends), bare);
} finally {
  rmSync(folder, { recursive: true });
}

async function bundle(): Promise<string> {
  const outfile = join(folder, 'runner.mjs');
  await build({
    stdin: {
      contents: `import '@forgejo-runner/backend-host'; import { run } from '@forgejo-runner/runner'; await run(process.argv);`,
      resolveDir: join(root, 'packages/runner'),
    },
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    conditions: ['@forgejo-runner/source'],
    banner: {
      js: `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);`,
    },
    logLevel: 'error',
  });
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

function print(what: string, ms: number, bare: number): void {
  console.log(
    `${what.padEnd(14)} ${ms.toFixed(1)} ms, ${(ms - bare).toFixed(1)} ms over bare Node, ratio ${(ms / bare).toFixed(2)}`,
  );
}
