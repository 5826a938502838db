import { BackendError, isBackendError } from '@forgejo-runner/core';
import { eventually } from '../eventually.ts';
import type { Check } from './check.ts';
import { describeError, expectRejection, expectSame, expectThat, Nonconformance, show } from './expectations.ts';
import type { ConformancePeer } from './options.ts';
import { promptMs, type Stage, within } from './stage.ts';
import type { Workplace } from './workplace.ts';

/** Backends with a part in another process, and the protocol between. */
export const plugin: readonly Check[] = [
  {
    id: 'C85',
    title: 'a plugin that is killed: its execs are "lost"; once it is back, the same backend runs new jobs',
    limitMs: 120_000,
    needs: 'option plugin',
    run: async (stage) => {
      const { plugin: given } = stage.options;
      if (given === undefined) throw stage.skip('needs the option "plugin"');
      const place = await stage.create();
      const running = place.startSh('echo on; sleep 600');
      await eventually(() => running.out.text() === 'on\n', { what: 'the process', timeoutMs: promptMs });
      await given.kill();
      const lost = within(running.handle.result, promptMs, 'an exec of a plugin that was killed');
      // However it fares, the checks after this one need the plugin.
      const restarted = lost.then(given.restart, given.restart);
      await expectRejection(lost, ['lost'], 'an exec of a plugin that was killed');
      await within(restarted, promptMs, 'starting the plugin again');
      const next = await createdAgain(stage);
      expectSame(await next.ask('echo again'), 'again\n', 'what a process printed after the plugin was started again');
      expectSame((await next.environment.remove(stage.context())).leaked, [], 'leaked by remove');
    },
  },
  {
    id: 'C86',
    title: 'each other end of the protocol gives what is documented: it works, or the error says why not',
    limitMs: 300_000,
    needs: 'option peers',
    run: async (stage) => {
      const { peers = [] } = stage.options;
      if (peers.length === 0) throw stage.skip('needs the option "peers"');
      for (const peer of peers) await checkPeer(stage, peer);
    },
  },
];

/** The runner tries again what is `unavailable`, for as long. */
async function createdAgain(stage: Stage): Promise<Workplace> {
  let last: unknown;
  const create = async (): Promise<Workplace | undefined> => {
    try {
      return await stage.create();
    } catch (error) {
      last = error;
      if (isBackendError(error) && ['unavailable', 'capacity'].includes(error.code)) return undefined;
      throw new Nonconformance(
        `after the plugin was started again: expected an environment, found ${describeError(error)}`,
      );
    }
  };
  const outcome = async (): Promise<Workplace | Nonconformance | undefined> => {
    return create().catch((error: unknown) => (error instanceof Nonconformance ? error : undefined));
  };
  const made = await eventually(outcome, { timeoutMs: 30_000, intervalMs: 500 }).catch(() => undefined);
  if (made instanceof Nonconformance) throw made;
  expectThat(made !== undefined, `expected the plugin to be used again, found ${describeError(last)}`);
  return made;
}

async function checkPeer(stage: Stage, { name, config, outcome }: ConformancePeer): Promise<void> {
  const work = use(stage, config);
  if (outcome !== 'works') {
    const { message } = await expectRejection(within(work, 60_000, name), [outcome], name);
    expectThat(message !== '', `${name}: expected an error that says why, found an empty message`);
    return;
  }
  await within(work, 60_000, name).catch((error: unknown) => {
    throw new Nonconformance(`${name}: expected that it works, found ${describeError(error)}`);
  });
}

/** More than one message of most protocols holds. */
const largeBytes = 5_000_000;

/** A small job: output and a file, both larger than a message. */
async function use(stage: Stage, config: unknown): Promise<void> {
  const backend = await stage.open({ config });
  const label = await backend.resolveLabel(stage.labelConfiguration, stage.context());
  const request = { ...stage.request(), label };
  const environment = await backend.createEnvironment(request, stage.context());
  stage.defer(() => environment.remove(stage.context()).catch(() => {}));
  const place = stage.at(environment, request);
  const { bytes } = await place.sh(`head -c ${largeBytes} /dev/zero`);
  expectSame(bytes.length, largeBytes, 'length of the output');
  await place.put([{ name: 'large', content: Buffer.alloc(largeBytes, 'x') }]);
  expectSame((await place.read(place.path('large'))).length, largeBytes, 'length of a file that went in and out');
  const { leaked } = await environment.remove(stage.context());
  if (leaked.length > 0) throw new BackendError('internal', `leaked by remove: ${show(leaked)}`);
}
