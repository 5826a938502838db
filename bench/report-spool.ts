/**
 * Prints how fast rows of a job go to its folder and on to a server: one that answers at once, and one that is away. Each
 * case runs in a process of its own, for its peak memory; "nothing" is a process that only makes the rows.
 *
 *     node --conditions=@forgejo-runner/source bench/report-spool.ts
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogRow } from '../packages/runner/src/report/job-report.ts';
import type { ReportChannel } from '../packages/runner/src/report/report-channel.ts';
import { systemClock } from '../packages/runner/src/report/report-clock.ts';
import { defaultSpoolLimitBytes } from '../packages/runner/src/report/report-settings.ts';
import { openReporter } from '../packages/runner/src/report/reporter.ts';

const rowCount = 1_000_000;
/** As many as a chunk of 64 KiB of output has. */
const batchRows = 600;

interface Measured {
  readonly ms: number;
  readonly requests: number;
  readonly peakMegabytes: number;
}

const [way] = process.argv.slice(2);
if (way === undefined) compare();
else console.log(JSON.stringify(await measure(way)));

function compare(): void {
  console.log(`${rowCount.toLocaleString('en')} rows of 100 characters\n`);
  console.log('server          rows/s   requests   peak MB');
  for (const [server, name] of [
    ['nothing', 'nothing'],
    ['there', 'answers'],
    ['away', 'is away'],
  ] as const) {
    const argv = [...process.execArgv, import.meta.filename, server];
    // The process is this file, which prints what was measured.
    const { ms, requests, peakMegabytes } = JSON.parse(
      execFileSync(process.execPath, argv, { encoding: 'utf8' }),
    ) as Measured;
    const rate = Math.round((rowCount / ms) * 1000).toLocaleString('en');
    const columns = [
      name.padEnd(10),
      rate.padStart(11),
      String(requests).padStart(10),
      peakMegabytes.toFixed(0).padStart(9),
    ];
    console.log(columns.join(' '));
  }
}

/** Time until every row is on the disk, and at the server where there is one. */
async function measure(server: string): Promise<Measured> {
  const parent = mkdtempSync(join(tmpdir(), 'bench-report-'));
  let requests = 0;
  const channel: ReportChannel = {
    updateLog: async ({ index, rows }) => {
      requests += 1;
      if (server === 'away') throw new Error('away');
      return { ackIndex: index + rows.length };
    },
    updateTask: async () => {
      requests += 1;
      if (server === 'away') throw new Error('away');
      return { sentOutputs: [] };
    },
  };
  const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const job = {
    taskId: '1',
    connection: 'c',
    boot: 'b',
    repository: 'r',
    workflow: 'w',
    job: 'j',
    backend: 'host',
    stepNames: ['s'],
  };
  try {
    const settings = {
      intervalMs: 1000,
      retry: { maxRetries: 1, initialDelayMs: 100, maxDelayMs: 0 },
      spoolLimitBytes: defaultSpoolLimitBytes,
    };
    await using reporter = await openReporter({
      job,
      folder: join(parent, '1'),
      channel,
      settings,
      clock: systemClock,
      log: quiet,
    });
    const from = performance.now();
    for (let first = 0; first < rowCount; first += batchRows) {
      const rows = batch(first);
      if (server !== 'nothing') await reporter.report.rows({ kind: 'step', index: 0, stage: 'main' }, rows);
    }
    await reporter.finish('success', new Map());
    const ms = performance.now() - from;
    return { ms, requests, peakMegabytes: process.resourceUsage().maxRSS / 1024 };
  } finally {
    rmSync(parent, { recursive: true });
  }
}

function batch(first: number): readonly LogRow[] {
  const count = Math.min(batchRows, rowCount - first);
  return Array.from({ length: count }, (_, number) => ({
    atMs: Date.now(),
    text: `[${first + number}] `.padEnd(100, 'compiling '),
  }));
}
