import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Backend, Owner, SweepReport, SweepRequest } from '@forgejo-runner/core';
import { eventually } from '../eventually.ts';
import type { Check } from './check.ts';
import { type CrashPhase, crashPhases, startDoomed } from './doomed-runner.ts';
import { expectSame, expectThat, show } from './expectations.ts';
import * as gates from './gates.ts';
import { expectInventory } from './lifecycle.ts';
import { freshName, freshOwner, openBackend, problemOf, promptMs, type Stage } from './stage.ts';
import { ended, type Workplace } from './workplace.ts';

/** What is done about what a runner left that is no more. */
export const sweep: readonly Check[] = [
  {
    id: 'C17',
    title: 'an environment whose time is over dies although its runner is frozen',
    lane: 'full',
    limitMs: 120_000,
    needs: 'option subject',
    run: async (stage) => {
      const subject = subjectOf(stage);
      const before = await stage.inventory();
      const name = freshName();
      const owner = freshOwner();
      const asked = { owner, name, stateDir: (await stage.folder()).path, expiresInMs: 20_000 };
      const doomed = await startDoomed(subject, { ...asked, phase: 'exec' });
      stage.defer(() => doomed.kill());
      await doomed.reached;
      doomed.freeze();
      const isDead = async (): Promise<boolean> => (await stage.inventory()).every((one) => before.includes(one));
      const died = await eventually(isDead, { timeoutMs: 80_000, intervalMs: 1000 }).catch(() => false);
      await doomed.kill();
      await sweepNow(stage, stage.backend, later(owner));
      expectThat(died, 'expected the environment to end by itself 60 s after its time, found it on the platform');
    },
  },
  {
    id: 'C80',
    title: 'a runner that is killed in any phase leaves what the next sweep removes, and nothing else',
    limitMs: 300_000,
    needs: 'option subject',
    run: async (stage) => {
      const subject = subjectOf(stage);
      const before = await stage.inventory();
      const other = freshOwner();
      const neighbour = await stage.create({ backend: await stage.open({ owner: other }), owner: other });
      const withNeighbour = await stage.inventory();
      const quick: readonly CrashPhase[] = ['creating', 'exec', 'removing'];
      for (const phase of stage.lane === 'quick' ? quick : crashPhases) {
        const isLong = phase === 'creating' || phase === 'removing';
        const delays = !isLong ? [0] : stage.lane === 'quick' ? [phase === 'creating' ? 0 : 30] : [0, 10, 30, 80, 300];
        for (const delayMs of delays) await checkCrash(stage, subject, { phase, delayMs });
      }
      await expectInventory(stage, withNeighbour, 'after sweeps of a runner that was killed');
      await expectAlive(neighbour, 'an environment of another runner');
      await neighbour.environment.remove(stage.context());
      await expectInventory(stage, before, 'after all was removed');
    },
  },
  {
    id: 'C81',
    title: 'a sweep takes what an earlier boot left, and nothing of others, nothing to keep, nothing in a dry run',
    run: async (stage) => checkSweep(stage),
  },
  {
    id: 'C82',
    title: 'with "only-expired" the living environments of another process stay',
    run: async (stage) => {
      const owner = freshOwner();
      const alive = await stage.create({ backend: await stage.open({ owner }), owner });
      const request = { ...later(owner), otherBoots: 'only-expired' } as const;
      const report = await sweepNow(stage, await stage.open({ owner: request.owner }), request);
      expectSame(report.removed, [], 'removed by a sweep with "only-expired"');
      await expectAlive(alive, 'the living environment of another process');
    },
  },
  {
    id: 'C83',
    title: 'after its runner was killed, an environment is recovered and runs execs',
    gate: gates.recover,
    needs: 'option subject',
    run: async (stage) => {
      const subject = subjectOf(stage);
      const name = freshName();
      const made = freshOwner();
      const asked = { owner: made, name, stateDir: (await stage.folder()).path, expiresInMs: 600_000 };
      const doomed = await startDoomed(subject, { ...asked, phase: 'exec' });
      await doomed.reached;
      await doomed.kill();
      const { owner } = later(made);
      const backend = await stage.open({ owner });
      const [environment] = (await backend.recover?.({ owner, names: [name] }, stage.context())) ?? [];
      expectThat(environment !== undefined, 'expected the environment to be recovered, found none');
      stage.defer(() => environment.remove(stage.context()));
      const place = stage.at(environment, stage.request({ name, owner }));
      expectSame(await place.ask('echo again'), 'again\n', 'what a recovered environment printed');
    },
  },
  {
    id: 'C84',
    title: 'what the platform refuses to delete is reported as leaked, and goes at the next sweep',
    needs: 'option blockRemoval',
    run: async (stage) => {
      const { blockRemoval } = stage.options;
      if (blockRemoval === undefined) throw stage.skip('needs the option "blockRemoval"');
      const before = await stage.inventory();
      const owner = freshOwner();
      const backend = await stage.open({ owner });
      const place = await stage.create({ backend, owner });
      {
        await using _ = await blockRemoval(place.environment);
        const { leaked } = await place.environment.remove(stage.context());
        expectThat(leaked.length > 0, 'expected a leak to be reported, found none');
        const isNamed = leaked.every(({ resource, error }) => resource !== '' && error !== '');
        expectThat(isNamed, `expected leaks with resource and error, found ${show(leaked)}`);
      }
      await sweepNow(stage, backend, later(owner));
      await expectInventory(stage, before, 'after the sweep of what had leaked');
    },
  },
];

function subjectOf(stage: Stage): string {
  const { subject } = stage.options;
  return subject ?? stage.skip('needs the option "subject": a module that a child process can load');
}

type SweepOver = Partial<SweepRequest> & { readonly owner: Owner };

/** The next start of the same runner: another boot altogether, the same one whenever it is asked for. */
function later(owner: Owner): { readonly owner: Owner } {
  const boot = createHash('sha256').update(owner.boot).digest('hex').slice(0, owner.boot.length);
  return { owner: { ...owner, boot } };
}

function sweepNow(stage: Stage, backend: Backend, over: SweepOver): Promise<SweepReport> {
  return backend.sweep({ keep: [], otherBoots: 'remove', dryRun: false, ...over }, stage.context());
}

async function checkSweep(stage: Stage): Promise<void> {
  const owner = freshOwner();
  const before = await stage.inventory();
  // A runner that ended without a word: nobody removes its environments but a sweep.
  const earlier = await openBackend(stage.options, { owner, stateDir: (await stage.folder()).path });
  const from = { backend: earlier, owner };
  const [left, kept] = [await stage.create(from), await stage.create(from)];
  const foreign = freshOwner();
  const others = await stage.create({ backend: await stage.open({ owner: foreign }), owner: foreign });
  await earlier[Symbol.asyncDispose]();
  const all = await stage.inventory();
  const next = await stage.open(later(owner));
  const request = { ...later(owner), keep: [kept.request.name] };
  const dry = await sweepNow(stage, next, { ...request, dryRun: true });
  expectSame(await stage.inventory(), all, 'the platform after a dry run');
  expectThat(dry.removed.length > 0, 'expected a dry run to tell what it would remove, found nothing');
  const report = await sweepNow(stage, next, request);
  expectSame(report.leaked, [], 'leaked by a sweep');
  expectThat(report.removed.length > 0, 'expected a sweep to report what it removed, found nothing');
  const isGone = await goneWithin(left, stage);
  expectThat(isGone, 'expected a sweep to remove what an earlier boot left, found it alive');
  await expectAlive(kept, 'an environment that was to be kept');
  await expectAlive(others, 'an environment of another runner');
  expectSame((await sweepNow(stage, next, request)).removed, [], 'removed by a second sweep');
  for (const place of [kept, others]) await place.environment.remove(stage.context());
  await expectInventory(stage, before, 'after the sweep');
}

/** A sweep that took it away shows in whatever way the backend has. */
async function expectAlive(place: Workplace, what: string): Promise<void> {
  const found = await place.ask('echo alive').catch(problemOf);
  expectSame(found, 'alive\n', `what ${what} printed after the sweep`);
}

/** Does an environment end? Whoever made it may only notice at the next exec. */
async function goneWithin(place: Workplace, stage: Stage): Promise<boolean> {
  const isGone = async (): Promise<boolean> => {
    const { alive } = await place.environment.state(stage.context());
    if (!alive) return true;
    const { result } = await ended(place.start(['true']));
    return result.kind !== 'exited' || result.code !== 0;
  };
  return eventually(() => isGone().catch(() => true), { timeoutMs: promptMs, intervalMs: 100 }).catch(() => false);
}

/** One crash: a runner of its own is killed, then swept, twice. */
async function checkCrash(
  stage: Stage,
  subject: string,
  { phase, delayMs }: { readonly phase: CrashPhase; readonly delayMs: number },
): Promise<void> {
  const before = await stage.inventory();
  const owner = freshOwner();
  const stateDir = (await stage.folder()).path;
  const doomed = await startDoomed(subject, { owner, stateDir, name: freshName(), phase, expiresInMs: 600_000 });
  stage.defer(() => doomed.kill());
  await doomed.reached;
  await pause(delayMs);
  await doomed.kill();
  const next = await openBackend(stage.options, { ...later(owner), stateDir });
  stage.defer(() => next[Symbol.asyncDispose]());
  const what = `killed ${delayMs} ms into "${phase}"`;
  const report = await sweepNow(stage, next, later(owner));
  expectSame(report.leaked, [], `leaked by the sweep of a runner ${what}`);
  await expectInventory(stage, before, `after the sweep of a runner ${what}`);
  expectSame((await sweepNow(stage, next, later(owner))).removed, [], `removed by a second sweep, ${what}`);
}
