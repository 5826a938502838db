import { eventually } from '../eventually.ts';
import type { Check } from './check.ts';
import { expectSame, expectThat } from './expectations.ts';
import { expectInventory } from './lifecycle.ts';
import { promptMs } from './stage.ts';
import { ended } from './workplace.ts';

/** Environments beside each other and one after the other. */
export const isolation: readonly Check[] = [
  {
    id: 'C70',
    title: 'four environments at once do not meet: files, processes, variables',
    run: async (stage) => {
      const places = await Promise.all([0, 1, 2, 3].map(() => stage.create()));
      const told = await Promise.all(
        places.map(async (place, at) => {
          await place.put([{ name: 'same/path', content: `of ${at}` }]);
          await place.ask('echo "$MINE" > "$1/mine"', {
            args: [place.info.paths.temp],
            env: { ...place.target.baseEnv, MINE: String(at) },
          });
          return place.ask('sleep 0.2; cat same/path "$1/mine"; ls', { args: [place.info.paths.temp] });
        }),
      );
      expectSame(
        told,
        [0, 1, 2, 3].map((at) => `of ${at}${at}\nsame\n`),
        'what each one finds',
      );
    },
  },
  {
    id: 'C72',
    title: 'removing one environment leaves an exec in another alone',
    run: async (stage) => {
      const [first, second] = [await stage.create(), await stage.create()];
      const running = second.startSh('echo on; until test -e go; do sleep 0.05; done; echo fine; exit 3');
      await eventually(() => running.out.text() === 'on\n', { what: 'the process', timeoutMs: promptMs });
      expectSame((await first.environment.remove(stage.context())).leaked, [], 'leaked by remove');
      // Not by an exec: one at a time.
      await second.put([{ name: 'go', content: '' }]);
      const { result, out } = await ended(running);
      expectSame([result, out], [{ kind: 'exited', code: 3 }, 'on\nfine\n'], 'the result and output of the other');
      expectThat((await second.environment.state(stage.context())).alive, 'expected the other alive, found it dead');
    },
  },
  {
    id: 'C73',
    title: 'many environments one after the other leave nothing, and the last is as fast as the first',
    lane: 'full',
    limitMs: 600_000,
    run: async (stage) => {
      const before = await stage.inventory();
      const tookMs: number[] = [];
      for (let round = 0; round < stage.amount(10, 30, 500); round += 1) {
        const began = performance.now();
        const place = await stage.create();
        await place.environment.remove(stage.context());
        tookMs.push(performance.now() - began);
      }
      await expectInventory(stage, before, 'after many environments');
      const [first, last] = [median(tookMs.slice(0, 5)), median(tookMs.slice(-5))];
      stage.measure('ms for one', last);
      expectThat(
        last <= 2 * first + 250,
        `expected about ${Math.round(first)} ms for the last, found ${Math.round(last)}`,
      );
    },
  },
];

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
