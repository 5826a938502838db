import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../eventually.ts';
import type { Check } from './check.ts';
import { startDoomed } from './doomed-runner.ts';
import { expectSame, expectThat } from './expectations.ts';
import { freshName, freshOwner, promptMs, type Stage, within } from './stage.ts';
import { ended } from './workplace.ts';

const hourMs = 3_600_000;

/** Machines whose clock is set, and that sleep. */
export const clock: readonly Check[] = [
  {
    id: 'C92',
    title: 'an exec survives a clock that jumps by an hour, and a runner that was suspended',
    limitMs: 180_000,
    needs: 'for the second: option subject',
    run: async (stage) => {
      for (const jumpMs of [hourMs, -hourMs]) await checkJump(stage, jumpMs);
      const { subject } = stage.options;
      if (subject === undefined) {
        throw stage.skip('the clock made no difference; a suspended runner needs the option "subject"');
      }
      await checkSuspended(stage, subject);
    },
  },
];

async function checkJump(stage: Stage, jumpMs: number): Promise<void> {
  const what = `an exec while the clock jumps by ${jumpMs / hourMs} h`;
  const place = await stage.create({ expiresAt: Date.now() + 6 * hourMs });
  const running = place.startSh('echo on; sleep 1; echo off; exit 7');
  await eventually(() => running.out.text() === 'on\n', { what: 'the process', timeoutMs: promptMs });
  using _ = jumpClock(jumpMs);
  const { result, out } = await within(ended(running), promptMs, what);
  expectSame([result, out], [{ kind: 'exited', code: 7 }, 'on\noff\n'], what);
  const { alive } = await place.environment.state(stage.context());
  expectThat(alive, `expected an environment whose time is not over to live on after ${what}, found it ended`);
  expectSame(await place.ask('echo next'), 'next\n', `what the next exec printed, after ${what}`);
}

/** The wall clock of this process, as somebody sets it. Time that only passes is not changed by that. */
function jumpClock(ms: number): Disposable {
  const real = globalThis.Date;
  const now = (): number => real.now() + ms;
  globalThis.Date = new Proxy(real, {
    construct: (target, args, newTarget: new () => object): object =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
    apply: () => new real(now()).toString(),
    get: (target, key): unknown => (key === 'now' ? now : Reflect.get(target, key)),
  });
  return {
    [Symbol.dispose]: () => {
      globalThis.Date = real;
    },
  };
}

/** The process ends, and says more than a pipe holds, while its runner sleeps. */
async function checkSuspended(stage: Stage, subject: string): Promise<void> {
  const asked = { owner: freshOwner(), name: freshName(), stateDir: (await stage.folder()).path };
  const doomed = await startDoomed(subject, { ...asked, phase: 'suspended', expiresInMs: 600_000 });
  stage.defer(() => doomed.kill());
  await doomed.reached;
  doomed.freeze();
  await pause(stage.amount(3000, 30_000));
  doomed.thaw();
  const found = await within(doomed.said('ran '), 60_000, 'an exec of a runner that was suspended');
  const expected = JSON.stringify([{ kind: 'exited', code: 7 }, 1_000_003]);
  expectSame(found, expected, 'the result and length of the output of an exec of a runner that was suspended');
}
