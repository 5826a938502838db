import { posix, win32 } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isBackendError, type EnvironmentInfo, type RemoveReport } from '@forgejo-runner/core';
import { eventually } from '../eventually.ts';
import type { Check } from './check.ts';
import { describeError, expectRejection, expectSame, expectThat, Nonconformance, show } from './expectations.ts';
import { freshName, promptMs, type Stage, within } from './stage.ts';
import type { Workplace } from './workplace.ts';

/** From the creation of an environment to its removal. */
export const lifecycle: readonly Check[] = [
  {
    id: 'C10',
    title: 'create, echo, remove: the platform and the runner are as they were',
    run: async (stage) => {
      // The first one may open connections and fill caches that stay.
      await echoOnce(stage);
      const [before, handles] = [await stage.inventory(), openHandles()];
      await echoOnce(stage);
      await expectInventory(stage, before, 'after create, echo and remove');
      const isQuiet = await eventually(() => openHandles() <= handles, { what: 'handles' }).catch(() => false);
      expectThat(isQuiet, `expected ${handles} open handles in the runner as before, found ${openHandles()}`);
    },
  },
  {
    id: 'C11',
    title: 'info tells the truth: paths that exist and can be written, system and architecture',
    run: async (stage) => checkInfo(stage, await stage.workplace()),
  },
  {
    id: 'C13',
    title: 'an abort while an environment is made rejects with "cancelled" and leaves nothing',
    run: async (stage) => {
      await stage.workplace();
      const before = await stage.inventory();
      const began = performance.now();
      await (await stage.create()).environment.remove(stage.context());
      const tookMs = performance.now() - began;
      await abortedAt(stage, 0);
      const count = stage.amount(4, 20);
      for (let at = 1; at <= count; at += 1) await abortedAt(stage, (tookMs * at) / count);
      await expectInventory(stage, before, 'after creations that were aborted');
    },
  },
  {
    id: 'C14',
    title: 'a name that is taken is refused with "plan", and its owner is unharmed',
    run: async (stage) => {
      const first = await stage.create();
      await first.put([{ name: 'kept', content: 'kept' }]);
      const second = stage.createEnvironment({ name: first.request.name });
      await expectRejection(second, ['plan'], 'creating an environment whose name is taken');
      expectSame(await first.ask('cat kept'), 'kept', 'a file of the first environment');
    },
  },
  {
    id: 'C15',
    title: 'remove may come twice, under a running exec, and before a dispose',
    run: async (stage) => {
      const before = await stage.inventory();
      const place = await stage.create();
      const running = place.startSh('echo on; sleep 600');
      await eventually(() => running.out.text() === 'on\n', { what: 'the process', timeoutMs: promptMs });
      const reports = [await removeNow(stage, place), await removeNow(stage, place)];
      for (const { leaked } of reports) expectSame(leaked, [], 'leaked by remove');
      const outcome = within(running.handle.result, promptMs, 'an exec whose environment was removed');
      const lived = await outcome.then(
        (result) => result.kind === 'exited' && result.code === 0,
        (error: unknown) => {
          if (error instanceof Nonconformance) throw error;
          return false;
        },
      );
      expectThat(!lived, 'expected no success of an exec whose environment was removed, found one');
      await place.environment[Symbol.asyncDispose]();
      await expectInventory(stage, before, 'after remove');
    },
  },
  {
    id: 'C16',
    title: 'remove works although the signal of its context has aborted',
    run: async (stage) => {
      const before = await stage.inventory();
      const place = await stage.create();
      const { leaked } = await place.environment.remove(stage.context(AbortSignal.abort()));
      expectSame(leaked, [], 'leaked by remove with an aborted signal');
      await expectInventory(stage, before, 'after remove with an aborted signal');
    },
  },
  {
    id: 'C18',
    title: 'an environment that is killed from outside: exec rejects with "lost", state tells, remove is fine',
    needs: 'option kill',
    run: async (stage) => {
      const { kill } = stage.options;
      if (kill === undefined) throw stage.skip('needs the option "kill"');
      const place = await stage.create();
      const running = place.startSh('echo on; sleep 600');
      await eventually(() => running.out.text() === 'on\n', { what: 'the process', timeoutMs: promptMs });
      await kill(place.environment);
      const lost = within(running.handle.result, promptMs, 'an exec whose environment was killed');
      await expectRejection(lost, ['lost'], 'an exec whose environment was killed');
      const state = await place.environment.state(stage.context());
      expectThat(!state.alive, 'expected the state of a killed environment not to be alive, found it alive');
      expectThat(state.reason !== undefined, 'expected a reason in the state of a killed environment, found none');
      expectSame((await removeNow(stage, place)).leaked, [], 'leaked by remove of a killed environment');
    },
  },
];

async function echoOnce(stage: Stage): Promise<void> {
  const place = await stage.create();
  expectSame(await place.ask('echo hello'), 'hello\n', 'what echo printed');
  expectSame((await removeNow(stage, place)).leaked, [], 'leaked by remove');
}

function removeNow(stage: Stage, place: Workplace): Promise<RemoveReport> {
  return place.environment.remove(stage.context());
}

/** Compares the platform with how it was. What goes after the removal has a moment to do so. */
export async function expectInventory(stage: Stage, before: readonly string[], when: string): Promise<void> {
  let extra: readonly string[] = [];
  const isClean = async (): Promise<boolean> => {
    extra = (await stage.inventory()).filter((one) => !before.includes(one));
    return extra.length === 0;
  };
  await eventually(isClean, { timeoutMs: promptMs, intervalMs: 100 }).catch(() => {});
  expectThat(extra.length === 0, `${when}: expected nothing more on the platform than before, found ${show(extra)}`);
}

/** Handles of this process; idle connections may come and go. */
export function openHandles(): number {
  const idle = new Set(['Timeout', 'Immediate', 'TickObject', 'FSReqPromise', 'FSReqCallback']);
  return process.getActiveResourcesInfo().filter((name) => !idle.has(name)).length;
}

async function abortedAt(stage: Stage, delayMs: number): Promise<void> {
  const stop = new AbortController();
  const name = freshName();
  if (delayMs === 0) stop.abort();
  const making = stage.createEnvironment({ name, signal: stop.signal });
  making.catch(() => {});
  await pause(delayMs);
  stop.abort();
  try {
    const made = await within(making, promptMs, `creating, with an abort after ${Math.round(delayMs)} ms`);
    expectThat(delayMs > 0, 'creating with an aborted signal: expected BackendError "cancelled", found an environment');
    await made.remove(stage.context());
  } catch (error) {
    if (error instanceof Nonconformance) throw error;
    const isCancelled = isBackendError(error) && error.code === 'cancelled';
    expectThat(isCancelled, `an aborted creation: expected BackendError "cancelled", found ${describeError(error)}`);
  }
}

const systems: Readonly<Record<string, string>> = { Linux: 'Linux', Darwin: 'macOS', FreeBSD: 'FreeBSD' };
const architectures: Readonly<Record<string, string>> = {
  x86_64: 'X64',
  amd64: 'X64',
  aarch64: 'ARM64',
  arm64: 'ARM64',
  i686: 'X86',
  i386: 'X86',
  armv7l: 'ARM',
  armv6l: 'ARM',
};

async function checkInfo(stage: Stage, place: Workplace): Promise<void> {
  const { info } = place;
  const paths = Object.entries(info.paths);
  const style = info.pathStyle === 'win32' ? win32 : posix;
  for (const [name, path] of paths)
    expectThat(style.isAbsolute(path), `paths.${name}: expected an absolute path: ${path}`);
  expectSame(new Set(paths.map(([, path]) => path)).size, paths.length, 'number of distinct paths');
  expectThat(info.env.defaultPath !== '', 'env.defaultPath: expected a search path, found an empty text');
  if (info.pathStyle !== 'posix') throw stage.skip('the rest needs a POSIX target');
  for (const [name, path] of paths) {
    const { result, err } = await place.sh('test -d "$1" && test -w "$1" && touch "$1/.probe" && rm "$1/.probe"', {
      args: [path],
    });
    expectSame(result, { kind: 'exited', code: 0 }, `paths.${name} (${path}) exists and can be written, ${err}`);
  }
  await checkSystem(place, info);
}

async function checkSystem(place: Workplace, info: EnvironmentInfo): Promise<void> {
  const [system = '', machine = ''] = (await place.ask('uname -s; uname -m')).trim().split('\n');
  expectSame(info.os, systems[system] ?? system, 'os, compared with uname -s');
  const known = ['X86', 'X64', 'ARM', 'ARM64'];
  expectThat(known.includes(info.arch), `arch: expected one of ${known.join(', ')}, found ${info.arch}`);
  // A 32-bit program on a 64-bit kernel is right as well.
  const expected = architectures[machine] ?? info.arch;
  const isFine = info.arch === expected || (expected.endsWith('64') && info.arch === expected.replace('64', ''));
  expectThat(isFine, `arch: expected ${expected} for uname -m ${machine}, found ${info.arch}`);
}
