import { eventually } from '../eventually.ts';
import type { Check } from './check.ts';
import { expectSame, expectThat, show } from './expectations.ts';
import * as gates from './gates.ts';
import { promptMs, within } from './stage.ts';
import { ended, type ExecOver, quickStop, type Started, type Workplace } from './workplace.ts';

/** Ending a process before its time. */
export const stop: readonly Check[] = [
  {
    id: 'C41',
    title: 'a signal reaches the handler of the program',
    gate: gates.signals,
    run: async (stage) => {
      const place = await stage.workplace();
      const running = place.startSh('trap "echo caught; exit 7" INT; echo on; while :; do sleep 0.1; done');
      await printed(running, 'on\n');
      await running.handle.signal?.('SIGINT');
      const { result, out } = await within(ended(running), promptMs, 'a program that got SIGINT');
      expectSame([result, out], [{ kind: 'exited', code: 7 }, 'on\ncaught\n'], 'the result and output');
    },
  },
  {
    id: 'C42',
    title: 'an abort ends the process, and the result is "stopped"',
    run: async (stage) => {
      const place = await stage.workplace();
      const { pids, result } = await stopped(place, 'echo $$ > pids; echo on; exec sleep 1000');
      expectSame(result, { kind: 'stopped', survivors: 0 }, 'the result of an aborted exec');
      await expectGone(place, pids);
    },
  },
  {
    id: 'C43',
    title: 'an abort ends the whole tree: what ignores TERM, and what left the group and the session',
    run: async (stage) => {
      const place = await stage.workplace();
      const leaves = 'command -v setsid > /dev/null && s=setsid || s=';
      const script = `${leaves}
sh -c 'trap "" TERM INT HUP; echo $$ >> pids; while :; do sleep 1; done' &
($s sh -c 'echo $$ >> pids; exec sleep 1000' < /dev/null > /dev/null 2>&1 &)
until [ "$(wc -l < pids)" -ge 2 ]; do sleep 0.05; done
echo on; wait`;
      const { pids, result } = await stopped(place, `: > pids; ${script}`);
      expectSame(pids.length, 2, 'processes beside the shell');
      expectSame(result, { kind: 'stopped', survivors: 0 }, 'the result of an aborted exec');
      await expectGone(place, pids);
    },
  },
  {
    id: 'C44',
    title: 'an abort goes through the stages: each signal, its grace, then the next',
    run: async (stage) => {
      const place = await stage.workplace();
      const script = `trap 'echo int >> trace' INT; trap 'echo term >> trace' TERM
: > trace; echo $$ > pids; echo on; while :; do sleep 0.1; done`;
      const stages = [
        { signal: 'SIGINT', graceMs: 1500 },
        { signal: 'SIGTERM', graceMs: 1500 },
        { signal: 'SIGKILL', graceMs: 0 },
      ];
      const { result, pids } = await stopped(place, script, { stop: stages });
      expectSame(result, { kind: 'stopped', survivors: 0 }, 'the result of an aborted exec');
      expectSame(await place.ask('cat trace'), 'int\nterm\n', 'the handlers that ran');
      await expectGone(place, pids);
    },
  },
  {
    id: 'C45',
    title: 'after an aborted exec the target takes the next exec and copy',
    run: async (stage) => {
      const place = await stage.workplace();
      for (let round = 0; round < stage.amount(1, 5); round += 1) {
        await stopped(place, 'echo $$ > pids; echo on; sleep 1000');
        await place.put([{ name: 'after', content: `round ${round}` }]);
        expectSame(await place.ask('cat after'), `round ${round}`, 'a file that was copied in after an abort');
        expectSame((await place.read(place.path('after'))).toString(), `round ${round}`, 'the file copied out');
      }
    },
  },
  {
    id: 'C46',
    title: 'an abort before the start runs nothing, one after the end changes nothing',
    run: async (stage) => {
      const place = await stage.workplace();
      const before = await place.sh('touch ran', { signal: AbortSignal.abort() });
      expectSame(before.result.kind, 'stopped', 'the result of an exec whose signal had aborted');
      expectSame(await place.ask('test -e ran && echo ran; true'), '', 'what an exec did whose signal had aborted');
      const after = new AbortController();
      const running = place.startSh('exit 5', { signal: after.signal });
      expectSame(await running.handle.result, { kind: 'exited', code: 5 }, 'the result');
      after.abort();
      expectSame(await running.handle.result, { kind: 'exited', code: 5 }, 'the result after a late abort');
    },
  },
];

/** Starts a script that prints `on`, aborts it, and waits for its end. It may write numbers of processes to `pids`. */
async function stopped(
  place: Workplace,
  script: string,
  over: ExecOver = { stop: quickStop },
): Promise<{ readonly pids: readonly number[]; readonly result: Awaited<Started['handle']['result']> }> {
  const abort = new AbortController();
  const running = place.startSh(script, { ...over, signal: abort.signal });
  await printed(running, 'on\n');
  const pids = (await place.read(place.path('pids'))).toString().split('\n').filter(Boolean).map(Number);
  abort.abort();
  const result = await within(running.handle.result, promptMs, 'an aborted exec');
  return { pids, result };
}

async function printed(running: Started, text: string): Promise<void> {
  const isThere = (): boolean => running.out.text().includes(text);
  await eventually(isThere, { what: `${show(text)} on stdout`, timeoutMs: 30_000 });
}

/** Looks inside whether processes of these numbers still do something. Zombies do not. */
async function expectGone(place: Workplace, pids: readonly number[]): Promise<void> {
  const script = `for pid; do
  kill -0 $pid 2> /dev/null || continue
  grep -q '^State:[[:space:]]*[ZX]' /proc/$pid/status 2> /dev/null || echo $pid
done`;
  const alive = await place.ask(script, { args: pids.map(String) });
  expectThat(alive === '', `expected the processes to be gone, found ${show(alive.trim().split('\n'))} alive`);
}
