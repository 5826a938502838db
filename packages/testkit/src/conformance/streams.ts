import { createHash, randomBytes } from 'node:crypto';
import { eventually } from '../eventually.ts';
import type { Check } from './check.ts';
import { describeError, expectSame, expectThat, show } from './expectations.ts';
import * as gates from './gates.ts';
import { openHandles } from './lifecycle.ts';
import { promptMs, type Stage, within } from './stage.ts';
import { ended, type Workplace } from './workplace.ts';

const mib = 1024 * 1024;

/** What goes in and out of a process. */
export const streams: readonly Check[] = [
  {
    id: 'C30',
    title: 'stdout and stderr arrive apart, in order and complete',
    run: async (stage) => {
      const script = 'i=0; while [ $i -lt 10000 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done';
      const { out, err } = await (await stage.workplace()).sh(script);
      for (const [stream, text] of Object.entries({ o: out, e: err })) {
        const lines = text.split('\n').slice(0, -1);
        expectSame(lines.length, 10_000, `lines of "${stream}"`);
        const wrong = lines.findIndex((line, at) => line !== `${stream}${at}`);
        expectThat(wrong === -1, `line ${wrong} of "${stream}": found ${show(lines[wrong])}`);
      }
    },
  },
  {
    id: 'C31',
    title: 'the last line arrives, also without an end of line, before the result',
    run: async (stage) => {
      const place = await stage.workplace();
      for (let round = 0; round < stage.amount(5, 50); round += 1) {
        expectSame((await place.sh('echo first; printf last')).out, 'first\nlast', 'what a short program printed');
      }
      const { out } = await place.sh('head -c 300000 /dev/zero | tr "\\0" x; echo; echo end of the long one');
      expectSame(out.slice(300_000), '\nend of the long one\n', 'the last line after much output');
    },
  },
  {
    id: 'C32',
    title: '100 MB of binary output arrive bit for bit, in bounded memory',
    run: async (stage) => {
      const place = await stage.workplace();
      const count = 100;
      const wanted = await place.ask(`head -c ${count * mib} /dev/urandom > random; sha256sum < random | cut -c 1-64`);
      const hash = createHash('sha256');
      using memory = watchMemory();
      const began = performance.now();
      const stdout = (chunk: Uint8Array): void => void hash.update(chunk);
      const { result } = await place.run(['cat', place.path('random')], { stdout });
      stage.measure('MB/s out', count / ((performance.now() - began) / 1000));
      stage.measure('MB more memory', memory.growth() / mib);
      await place.sh('rm random');
      expectSame(result, { kind: 'exited', code: 0 }, 'the result');
      expectSame(hash.digest('hex'), wanted.trim(), 'SHA-256 of what arrived');
      expectThat(
        memory.growth() < 64 * mib,
        `expected memory not to grow by 64 MiB, found ${memory.growth()} bytes more`,
      );
    },
  },
  {
    id: 'C33',
    title: 'a sink that does not take makes the process wait, not the memory grow',
    run: async (stage) => checkBackPressure(stage, await stage.create()),
  },
  {
    id: 'C34',
    title: 'a sink that fails ends the exec, and its error comes out',
    run: async (stage) => {
      const place = await stage.workplace();
      const { handle } = place.startSh('while :; do echo line; sleep 0.05; done', { stdout: brokenSink });
      const outcome = await within(handle.result, promptMs, 'an exec whose sink fails').then(show, describeError);
      expectThat(outcome.includes('the sink is broken'), `expected the error of the sink, found ${outcome}`);
      expectSame(await place.ask('echo next'), 'next\n', 'what the next exec printed');
    },
  },
  {
    id: 'C35',
    title: 'a process that is silent for minutes ends as it ends',
    lane: 'nightly',
    limitMs: 600_000,
    run: async (stage) => {
      const { result, out } = await (await stage.workplace()).sh('sleep 360; echo after');
      expectSame([result, out], [{ kind: 'exited', code: 0 }, 'after\n'], 'the result and output');
    },
  },
  {
    id: 'C36',
    title: 'a child in the background that keeps stdout open does not hold the result up',
    run: async (stage) => {
      const place = await stage.create();
      const running = place.startSh('sleep 600 & echo done');
      const { result, out } = await within(ended(running), promptMs, 'an exec with a child in the background');
      expectSame([result, out], [{ kind: 'exited', code: 0 }, 'done\n'], 'the result and output');
    },
  },
  {
    id: 'C37',
    title: 'many execs one after the other leave nothing in the runner',
    run: async (stage) => {
      const place = await stage.workplace();
      for (let round = 0; round < 5; round += 1) await place.sh('true');
      const before = openHandles();
      for (let round = 0; round < stage.amount(15, 50, 500); round += 1) await place.sh('echo "$0"');
      const isQuiet = await eventually(() => openHandles() <= before + 1).catch(() => false);
      expectThat(isQuiet, `expected about ${before} open handles after many execs, found ${openHandles()}`);
    },
  },
  {
    id: 'C38',
    title: 'a very long line, broken UTF-8 and NUL bytes arrive as they are',
    run: async (stage) => {
      const place = await stage.workplace();
      const { bytes } = await place.sh('head -c 8388608 /dev/zero | tr "\\0" a');
      expectSame(bytes.length, 8 * mib, 'length of the long line');
      expectThat(
        bytes.every((byte) => byte === 0x61),
        'expected a line of "a" only, found another byte',
      );
      const odd = (await place.sh("printf '\\303'; sleep 0.1; printf '\\050\\377\\376\\000\\001\\200'")).bytes;
      expectSame(Buffer.from(odd).toString('hex'), 'c328fffe000180', 'bytes that are no UTF-8');
    },
  },
  {
    id: 'C39',
    title: 'stdin arrives bit for bit and ends; a program need not read it',
    gate: gates.stdin,
    run: async (stage) => checkStdin(stage, await stage.workplace()),
  },
  {
    id: 'C40',
    title: 'a terminal is one on all three streams, with its size; without one there is none',
    gate: {
      ...gates.tty,
      proveRefusal: async (stage) => {
        await gates.tty.proveRefusal?.(stage);
        await expectNoTerminal(await stage.workplace());
      },
    },
    run: async (stage) => {
      const place = await stage.workplace();
      await expectNoTerminal(place);
      const all = place.startSh('test -t 0 && test -t 1 && test -t 2 && stty size', { tty: { columns: 91, rows: 17 } });
      const { result, out } = await ended(all);
      expectSame([result, out.trim()], [{ kind: 'exited', code: 0 }, '17 91'], 'the result and size of a terminal');
      expectThat(all.handle.resize !== undefined, 'expected a method "resize" with a terminal, found none');
    },
  },
];

function brokenSink(): never {
  throw new Error('the sink is broken');
}

async function expectNoTerminal(place: Workplace): Promise<void> {
  const { out } = await place.sh('for n in 0 1 2; do if test -t $n; then echo $n; fi; done');
  expectSame(out, '', 'streams that are terminals although none was asked for');
}

/** Most that may be between a sink that does not take and the process: ours, the pipe's and the platform's buffers. */
const bufferedBytes = 16 * mib;
/** One write of the process. Less than a pipe holds, so that some get through before it waits. */
const pieceBytes = 16_384;

async function checkBackPressure(stage: Stage, place: Workplace): Promise<void> {
  const free = Promise.withResolvers<void>();
  const stop = new AbortController();
  // The process counts what it wrote: once nobody takes it, the count must stand still.
  const script = `i=0; while :; do head -c ${pieceBytes} /dev/zero; i=$((i+1)); echo $i > next; mv next count; done`;
  const running = place.startSh(script, { stdout: () => free.promise, signal: stop.signal });
  stage.defer(async () => {
    free.resolve();
    stop.abort();
    await running.handle.result.catch(() => {});
  });
  const written = async (): Promise<number> => Number(await place.read(place.path('count'))) * pieceBytes;
  let [last, same] = [-1, 0];
  const stands = async (): Promise<boolean> => {
    const now = await written();
    expectThat(now <= bufferedBytes, `expected the process to wait for the sink, found that it wrote ${now} bytes`);
    same = now === last ? same + 1 : 0;
    last = now;
    return same >= 4;
  };
  const state = { failure: undefined as unknown };
  const probe = async (): Promise<boolean> => {
    try {
      return await stands();
    } catch (error) {
      if (error instanceof Error && error.name === 'Nonconformance') state.failure = error;
      return state.failure !== undefined;
    }
  };
  const isStill = await eventually(probe, { timeoutMs: promptMs, intervalMs: 150 }).catch(() => false);
  if (state.failure !== undefined) throw state.failure;
  expectThat(isStill, 'expected the process to wait for the sink, found that it goes on writing');
}

async function checkStdin(stage: Stage, place: Workplace): Promise<void> {
  const piece = randomBytes(mib);
  const count = stage.amount(8, 100);
  const [sent, got] = [createHash('sha256'), createHash('sha256')];
  async function* source(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < count; at += 1) {
      sent.update(piece);
      yield piece;
    }
  }
  const stdout = (chunk: Uint8Array): void => void got.update(chunk);
  const echoed = await place.run(['cat'], { stdin: source(), stdout });
  expectSame(echoed.result, { kind: 'exited', code: 0 }, 'the result of cat');
  expectSame(got.digest('hex'), sent.digest('hex'), 'SHA-256 of what came back from stdin');
  const ends = within(place.sh('cat; echo end'), promptMs, 'a program that reads stdin although there is none');
  expectSame((await ends).out, 'end\n', 'what a program read from no stdin');
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) yield piece;
  }
  for (const script of ['sleep 0.2', 'head -c 1 > /dev/null', 'true']) {
    const { result } = await within(
      place.sh(script, { stdin: endless() }),
      promptMs,
      `${script}, with an endless stdin`,
    );
    expectSame(result, { kind: 'exited', code: 0 }, `the result of ${show(script)} with an endless stdin`);
  }
}

/** Looks at the memory of this process as long as it is open. */
export function watchMemory(): Disposable & { readonly growth: () => number } {
  const before = process.memoryUsage().rss;
  let most = before;
  const look = (): void => void (most = Math.max(most, process.memoryUsage().rss));
  const timer = setInterval(look, 50);
  const growth = (): number => {
    look();
    return most - before;
  };
  return { growth, [Symbol.dispose]: () => clearInterval(timer) };
}
