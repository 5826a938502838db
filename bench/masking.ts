/**
 * Prints what masking costs: 100,000 lines of a log with 0, 20 and 1,000 secrets, by the masker alone and on the whole
 * way from bytes to rows. Each case runs in a process of its own, for its peak memory.
 *
 *     node --conditions=@forgejo-runner/source bench/masking.ts
 */
import { Buffer } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { openStepLog } from '../packages/runner/src/log/log-pipeline.ts';
import { Masker } from '../packages/runner/src/log/masker.ts';

const lineCount = 100_000;
const rounds = 5;
const chunkBytes = 64 * 1024;

interface Measured {
  readonly linesPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly buildMs: number;
  readonly peakMegabytes: number;
}

function secret(index: number): string {
  return createHash('sha256').update(String(index)).digest('base64url').slice(0, 40);
}

/** Lines as compilers and package managers write them; one in a hundred shows a secret. */
function logLines(secrets: readonly string[]): readonly string[] {
  return Array.from({ length: lineCount }, (_, index) => {
    const id = createHash('md5').update(String(index)).digest('hex');
    const shown = index % 100 === 0 ? (secrets[index % secrets.length] ?? '') : '';
    return `[${index}] compiling src/module-${index % 977}/file-${id.slice(0, 8)}.ts -> dist/${id}.js ok ${shown}`;
  });
}

/** The best of some rounds: what the machine does beside us only makes it slower. */
async function bestMs(run: () => void | Promise<void>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now();
    await run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

async function measure(way: string, secretCount: number): Promise<Measured> {
  const secrets = Array.from({ length: secretCount }, (_, index) => secret(index));
  const lines = logLines(secrets);
  const bytes = Buffer.from(`${lines.join('\n')}\n`);
  const start = performance.now();
  const masker = new Masker();
  for (const value of secrets) masker.add(value);
  masker.mask('first use builds the tables');
  const buildMs = performance.now() - start;

  let rows = 0;
  const ms = await bestMs(way === 'masker' ? () => maskAll(masker, lines) : () => logAll());
  function maskAll(made: Masker, texts: readonly string[]): void {
    for (const text of texts) rows += made.mask(text).length;
  }
  async function logAll(): Promise<void> {
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
    for (let at = 0; at < bytes.length; at += chunkBytes) await log.stdout(bytes.subarray(at, at + chunkBytes));
    await log.close();
  }
  if (rows < lineCount) throw new Error('expected every line to be taken');
  return {
    linesPerSecond: (lineCount / ms) * 1000,
    megabytesPerSecond: bytes.length / ms / 1000,
    buildMs,
    peakMegabytes: process.resourceUsage().maxRSS / 1024,
  };
}

/** A case in a process of its own. */
function measureApart(way: string, secretCount: number): Measured {
  const argv = [...process.execArgv, import.meta.filename, way, String(secretCount)];
  // The process is this file, which prints what `measure` gives.
  return JSON.parse(execFileSync(process.execPath, argv, { encoding: 'utf8' })) as Measured;
}

const [askedWay, askedCount] = process.argv.slice(2);
if (askedWay !== undefined) {
  console.log(JSON.stringify(await measure(askedWay, Number(askedCount))));
} else {
  console.log(`${lineCount.toLocaleString('en')} lines, best of ${rounds} rounds; × is against 0 secrets\n`);
  console.log('way       secrets      lines/s     ×    MB/s   tables ms   peak MB     ×');
  for (const way of ['masker', 'pipeline']) {
    const none = measureApart(way, 0);
    for (const secrets of [0, 20, 1000]) {
      const measured = secrets === 0 ? none : measureApart(way, secrets);
      const columns = [
        way.padEnd(8),
        String(secrets).padStart(8),
        Math.round(measured.linesPerSecond).toLocaleString('en').padStart(12),
        (measured.linesPerSecond / none.linesPerSecond).toFixed(2).padStart(5),
        measured.megabytesPerSecond.toFixed(0).padStart(7),
        measured.buildMs.toFixed(1).padStart(11),
        measured.peakMegabytes.toFixed(0).padStart(9),
        (measured.peakMegabytes / none.peakMegabytes).toFixed(2).padStart(5),
      ];
      console.log(columns.join(' '));
    }
  }
}
