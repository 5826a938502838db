/**
 * Prints how fast the output of a real process goes the whole way to rows: `cat` of a file of 500,000 lines, through the
 * process group of a host backend, lines, commands and masks into a sink, over the same `cat` piped into a counter of
 * bytes. Each case runs in a process of its own, for its peak memory.
 *
 *     node --conditions=@forgejo-runner/source bench/log-path.ts
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProcessGroup } from '../packages/kit/src/index.ts';
import { openStepLog } from '../packages/runner/src/log/log-pipeline.ts';
import { Masker } from '../packages/runner/src/log/masker.ts';

const lineCount = 500_000;
const rounds = 3;

interface Measured {
  readonly ms: number;
  readonly peakMegabytes: number;
}

const [way, count, file] = process.argv.slice(2);
if (way !== undefined && file !== undefined) {
  const secrets = Array.from({ length: Number(count) }, (_, index) => secret(index));
  const ms = await bestMs(() => (way === 'bare' ? countBytes(file) : logRows(file, secrets)));
  const measured: Measured = { ms, peakMegabytes: process.resourceUsage().maxRSS / 1024 };
  console.log(JSON.stringify(measured));
} else {
  compare();
}

function compare(): void {
  const folder = mkdtempSync(join(tmpdir(), 'bench-log-'));
  try {
    const path = join(folder, 'lines.txt');
    writeFileSync(path, logLines());
    const megabytes = statSync(path).size / 1e6;
    console.log(`${lineCount.toLocaleString('en')} lines, ${megabytes.toFixed(0)} MB, best of ${rounds} rounds\n`);
    console.log('way            secrets      lines/s    MB/s   time ×   peak MB');
    const bare = measureApart('bare', 0, path);
    print('pipe and count', 0, bare);
    for (const secrets of [0, 20]) print('to rows', secrets, measureApart('rows', secrets, path));

    function print(what: string, secrets: number, { ms, peakMegabytes }: Measured): void {
      const columns = [
        what.padEnd(14),
        String(secrets).padStart(7),
        Math.round((lineCount / ms) * 1000)
          .toLocaleString('en')
          .padStart(12),
        ((megabytes / ms) * 1000).toFixed(0).padStart(7),
        (ms / bare.ms).toFixed(2).padStart(8),
        peakMegabytes.toFixed(0).padStart(9),
      ];
      console.log(columns.join(' '));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function measureApart(what: string, secrets: number, path: string): Measured {
  const argv = [...process.execArgv, import.meta.filename, what, String(secrets), path];
  // The process is this file, which prints what was measured.
  return JSON.parse(execFileSync(process.execPath, argv, { encoding: 'utf8' })) as Measured;
}

function secret(index: number): string {
  return createHash('sha256').update(String(index)).digest('base64url').slice(0, 40);
}

/** Lines as compilers and package managers write them; one in a hundred shows a secret. */
function logLines(): string {
  const lines = Array.from({ length: lineCount }, (_, index) => {
    const shown = index % 100 === 0 ? ` ${secret(index % 20)}` : '';
    return `[${index}] compiling src/module-${index % 977}/file-${index % 31}.ts -> dist/${index % 13}/file.js ok${shown}`;
  });
  return `${lines.join('\n')}\n`;
}

async function countBytes(path: string): Promise<void> {
  let bytes = 0;
  const child = spawn('cat', [path], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const chunk of child.stdout as AsyncIterable<Uint8Array>) bytes += chunk.length;
  if (bytes !== statSync(path).size) throw new Error(`expected every byte, found ${bytes}`);
}

async function logRows(path: string, secrets: readonly string[]): Promise<void> {
  let rows = 0;
  const masker = new Masker();
  for (const value of secrets) masker.add(value);
  const log = openStepLog({
    section: { kind: 'step', index: 0, stage: 'main' },
    masker,
    isDebug: false,
    commands: { handle: () => undefined },
    report: {
      rows: (_section, batch) => {
        rows += batch.length;
      },
      annotation: () => undefined,
    },
  });
  const request = { argv: ['cat', path], env: { PATH: process.env['PATH'] ?? '' }, cwd: '/' } as const;
  const handle = startProcessGroup(
    { ...request, stdout: log.stdout, stderr: log.stderr },
    { signal: new AbortController().signal },
  );
  await handle.result;
  await log.close();
  if (rows !== lineCount) throw new Error(`expected every line, found ${rows}`);
}

/** What the machine does beside us only makes it slower. */
async function bestMs(work: () => Promise<void>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) {
    const from = performance.now();
    await work();
    best = Math.min(best, performance.now() - from);
  }
  return best;
}
