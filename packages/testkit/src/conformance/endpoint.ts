import { connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../eventually.ts';
import type { Check } from './check.ts';
import { expectRejection, expectSame, expectThat } from './expectations.ts';
import * as gates from './gates.ts';
import { expectInventory } from './lifecycle.ts';
import { promptMs, type Stage, within } from './stage.ts';

/** What happens when the platform is not there, or goes away. */
export const endpoint: readonly Check[] = [
  {
    id: 'C08',
    title: 'a platform that does not answer is "unavailable" after few attempts',
    needs: 'option endpoint',
    run: async (stage) => {
      const before = await stage.inventory();
      await using way = await openWay(stage);
      const backend = await stage.open({ config: way.config });
      await (await stage.create({ backend })).environment.remove(stage.context());
      way.close();
      const attempts = way.connections();
      const making = within(stage.createEnvironment({ backend }), 60_000, 'creating where nobody answers');
      await expectRejection(making, ['unavailable'], 'creating where nobody answers');
      const more = way.connections() - attempts;
      expectThat(more <= 4, `expected at most 4 attempts to connect, found ${more}`);
      const { status } = await within(backend.health(stage.context()), 5000, 'health where nobody answers');
      expectSame(status, 'down', 'health where nobody answers');
      await expectInventory(stage, before, 'after a creation that could not be');
    },
  },
  {
    id: 'C47',
    title: 'an exec whose connection is cut rejects with "lost", and never is a success',
    needs: 'option endpoint',
    run: async (stage) => {
      await using way = await openWay(stage);
      const backend = await stage.open({ config: way.config });
      const place = await stage.create({ backend });
      const running = place.startSh('echo on; sleep 5; exit 0');
      await eventually(() => running.out.text() === 'on\n', { what: 'the process', timeoutMs: promptMs });
      way.close();
      const lost = within(running.handle.result, 30_000, 'an exec whose connection was cut');
      await expectRejection(lost, ['lost'], 'an exec whose connection was cut');
      way.reopen();
      expectSame((await place.environment.remove(stage.context())).leaked, [], 'leaked by remove after that');
    },
  },
  {
    id: 'C48',
    title: 'an exec whose connection is cut is taken up again without loss or repetition',
    gate: gates.resume,
    needs: 'option endpoint',
    run: async (stage) => {
      await using way = await openWay(stage);
      const place = await stage.create({ backend: await stage.open({ config: way.config }) });
      const running = place.startSh('i=0; while [ $i -lt 100 ]; do echo $i; i=$((i+1)); sleep 0.05; done; exit 9');
      await eventually(() => running.out.text().includes('10\n'), { what: 'the process', timeoutMs: promptMs });
      way.close();
      await pause(500);
      way.reopen();
      const result = await within(running.handle.result, 60_000, 'an exec that is taken up again');
      const lines = Array.from({ length: 100 }, (_, at) => `${at}\n`).join('');
      expectSame([result, running.out.text()], [{ kind: 'exited', code: 9 }, lines], 'the result and output');
    },
  },
];

/** The way to the platform, with somebody on it who can close it. */
interface Way extends AsyncDisposable {
  readonly config: unknown;
  readonly connections: () => number;
  /** Ends all connections and accepts none. */
  readonly close: () => void;
  readonly reopen: () => void;
}

async function openWay(stage: Stage): Promise<Way> {
  const { endpoint: given } = stage.options;
  if (given === undefined) throw stage.skip('needs the option "endpoint"');
  const folder = await stage.folder();
  const socket = folder.join('platform.sock');
  const open = new Set<Socket>();
  let [isClosed, count] = [false, 0];
  const server = createServer({ allowHalfOpen: true }, (near) => {
    count += 1;
    if (isClosed) {
      near.destroy();
      return;
    }
    const far = connect({ path: given.socket, allowHalfOpen: true });
    for (const one of [near, far]) {
      open.add(one);
      one.on('close', () => open.delete(one));
      // What one end meets, the other one has to learn.
      one.on('error', () => (one === near ? far : near).destroy());
    }
    near.pipe(far);
    far.pipe(near);
  });
  server.listen(socket);
  await once(server, 'listening');
  const end = (): void => {
    for (const one of open) one.destroy();
  };
  return {
    config: given.configFor(socket),
    connections: () => count,
    close: () => {
      isClosed = true;
      end();
    },
    reopen: () => {
      isClosed = false;
    },
    [Symbol.asyncDispose]: async () => {
      // Whoever still has to remove something needs the way.
      isClosed = false;
      stage.defer(async () => {
        end();
        server.close();
        await once(server, 'close');
      });
    },
  };
}
