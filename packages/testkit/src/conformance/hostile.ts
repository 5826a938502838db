import { readdirSync, readFileSync } from 'node:fs';
import { type BackendEvent, isBackendError } from '@forgejo-runner/core';
import { inspect } from 'node:util';
import type { Check } from './check.ts';
import { describeError, expectSame, expectThat, Nonconformance, show } from './expectations.ts';
import { freshName, promptMs, type Stage, within } from './stage.ts';
import { type TarEntry, tarOf } from './tar-entries.ts';
import { ended, type Workplace } from './workplace.ts';

/** What must not get out or in, and what the runner is told. */
export const hostile: readonly Check[] = [
  {
    id: 'C27',
    title: 'secrets reach no command line, no event and no log',
    run: async (stage) => checkSecrets(stage, await stage.create()),
  },
  {
    id: 'C52',
    title: 'an archive writes nothing outside of its destination',
    run: async (stage) => checkEscapes(stage, await stage.create()),
  },
  {
    id: 'C90',
    title: 'what is thrown is a BackendError with a code of the contract, and no stack in its message',
    run: async (stage) => checkErrors(stage, await stage.workplace()),
  },
  {
    id: 'C91',
    title: 'events come in pairs and in order, and carry no value of a job',
    run: async (stage) => {
      const place = await stage.create();
      const value = `value-of-a-job-${freshName()}`;
      const { out } = await place.sh('echo "$VALUE"', { env: { ...place.target.baseEnv, VALUE: value } });
      expectSame(out, `${value}\n`, 'what the process printed');
      await place.environment.remove(stage.context());
      const events = stage.contexts.flatMap((context) => context.events);
      checkEvents(events, place.request.name);
      expectThat(!inspect(events, { depth: 9 }).includes(value), 'expected no value of a job in events, found one');
    },
  },
];

async function checkSecrets(stage: Stage, place: Workplace): Promise<void> {
  const secret = `secret-${freshName()}`;
  using watch = watchCommandLines(secret);
  const { exec } = stage.capabilities;
  async function* stdin(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(secret);
  }
  const over = { env: { ...place.target.baseEnv, SECRET: secret }, ...(exec.stdin ? { stdin: stdin() } : {}) };
  await place.put([{ name: 'secret-file', content: secret }]);
  const { out } = await place.sh('sleep 0.5; test -n "$SECRET" && echo there; cat > /dev/null', over);
  expectSame(out, 'there\n', 'what a process printed that got the secret');
  const inside = 'for f in /proc/[0-9]*/cmdline; do tr "\\0" " " < $f 2> /dev/null; done';
  const background = place.startSh('sleep 1; test -n "$SECRET"', over);
  const seen = await place.sh(inside);
  expectThat(!seen.out.includes(secret), 'expected no secret on a command line inside, found one');
  await background.handle.result.catch(() => {});
  const found = await watch.found();
  expectThat(found === undefined, `expected no secret on a command line, found ${show(found?.replace(secret, '***'))}`);
  for (const { logged, events, progressed } of stage.contexts) {
    const told = inspect([logged, events], { depth: 9, maxStringLength: null }) + progressed.text();
    expectThat(!told.includes(secret), 'expected no secret in logs, events and progress, found it');
  }
}

/** Reads the command lines of all processes of this machine, again and again, until it is disposed. */
function watchCommandLines(secret: string): Disposable & { readonly found: () => Promise<string | undefined> } {
  let seen: string | undefined;
  let isOver = false;
  const look = (): void => {
    if (isOver || seen !== undefined || process.platform !== 'linux') return;
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
        if (line.includes(secret)) seen = line.replaceAll('\0', ' ');
      } catch {
        // It ended meanwhile.
      }
    }
    setTimeout(look, 1);
  };
  look();
  return {
    found: async () => seen,
    [Symbol.dispose]: () => {
      isOver = true;
    },
  };
}

/** Archives that try to write beside their destination, by what they put there. */
function escapes(outside: string): Readonly<Record<string, readonly TarEntry[]>> {
  return {
    'a name that climbs': [{ name: '../escaped', content: 'escaped' }],
    'a name that climbs later': [{ name: 'a/../../escaped', content: 'escaped' }],
    'an absolute name': [{ name: `${outside}/escaped`, content: 'escaped' }],
    'a file through a symlink': [
      { name: 'link', type: '2', link: outside },
      { name: 'link/escaped', content: 'escaped' },
    ],
    'a file through a symlink that climbs': [
      { name: 'up', type: '2', link: '..' },
      { name: 'up/escaped', content: 'escaped' },
    ],
    'a file over a symlink': [
      { name: 'file', type: '2', link: `${outside}/victim` },
      { name: 'file', content: 'escaped' },
    ],
    'a hard link to the outside': [
      { name: 'hard', type: '1', link: `${outside}/victim` },
      { name: 'hard', content: 'escaped' },
    ],
    'a hard link that climbs': [
      { name: 'hard2', type: '1', link: '../victim' },
      { name: 'hard2', content: 'escaped' },
    ],
  };
}

async function checkEscapes(stage: Stage, place: Workplace): Promise<void> {
  const outside = place.path('outside');
  for (const [what, entries] of Object.entries(escapes(outside))) {
    await place.ask('rm -rf outside && mkdir -p outside/dest && printf safe > outside/victim');
    const copying = place.target.copyIn({ dest: place.path('outside', 'dest'), tar: tarOf(entries) }, stage.context());
    // Refusing is as good as keeping it inside.
    await within(copying, promptMs, what).catch((error: unknown) => {
      if (error instanceof Nonconformance) throw error;
      expectThat(isBackendError(error), `${what}: expected a BackendError, found ${describeError(error)}`);
    });
    const listed = await place.ask('ls -A outside; cat outside/victim');
    expectSame(listed, 'dest\nvictim\nsafe', `${what}: what lies beside the destination`);
  }
  const odd: readonly TarEntry[] = [
    { name: 'a\nb', content: 'odd' },
    { name: 'device', type: '3' },
  ];
  for (const entry of odd) {
    const copying = place.target.copyIn({ dest: place.path('odd'), tar: tarOf([entry]) }, stage.context());
    await within(copying, promptMs, show(entry.name)).catch((error: unknown) => {
      if (error instanceof Nonconformance) throw error;
      expectThat(isBackendError(error), `${show(entry)}: expected a BackendError, found ${describeError(error)}`);
    });
  }
  const devices = await place.ask('find . -type b -o -type c | head -n 3');
  expectSame(devices, '', 'device files that came out of an archive');
}

const codes = new Set(
  'unsupported config label plan capacity image not_found unavailable timeout lost auth internal cancelled'.split(' '),
);

async function checkErrors(stage: Stage, place: Workplace): Promise<void> {
  const missing = place.path('no-such-file-of-any-job');
  const copyOut = async (): Promise<void> => {
    for await (const _ of place.target.copyOut({ src: missing }, stage.context())) return;
  };
  const provoked: Readonly<Record<string, () => Promise<unknown>>> = {
    'copyOut of a missing file': copyOut,
    'an exec in a missing folder': () => ended(place.start(['true'], { cwd: missing })),
    'a name that is taken': () => stage.createEnvironment({ name: place.request.name }),
    'an aborted creation': () => stage.createEnvironment({ signal: AbortSignal.abort() }),
    'a label with an unknown option': () => {
      const label = { ...stage.labelConfiguration, options: { no_such_option_of_any_label: 'x' } };
      return stage.backend.resolveLabel(label, stage.context());
    },
  };
  // A backend may have no schema for its labels.
  const mayPass = ['a label with an unknown option'];
  for (const [what, provoke] of Object.entries(provoked)) {
    const error = await provoke().then(
      () => undefined,
      (reason: unknown) => reason ?? 'nothing',
    );
    if (error === undefined && mayPass.includes(what)) continue;
    expectThat(error !== undefined, `${what}: expected a BackendError, found success`);
    expectThat(isBackendError(error), `${what}: expected a branded BackendError, found ${describeError(error)}`);
    expectThat(codes.has(error.code), `${what}: expected a code of the contract, found ${show(error.code)}`);
    expectThat(error.message !== '' && !/\n\s+at /.test(error.message), `${what}: found ${show(error.message)}`);
    const isInternal = error.code === 'internal';
    expectThat(!isInternal, `${what}: expected whose fault it is, found "internal": ${show(error.message)}`);
  }
}

function checkEvents(events: readonly BackendEvent[], name: string): void {
  const began = events.filter(({ type }) => type === 'exec.start').length;
  const over = events.filter(({ type }) => type === 'exec.end').length;
  expectSame(over, began, 'number of exec.end, which is that of exec.start');
  let last = 0;
  for (const event of events) {
    expectThat(event.at >= last, `expected times that do not go back, found ${event.at} after ${last}`);
    last = event.at;
    expectThat(Math.abs(event.at - Date.now()) < 3_600_000, `expected milliseconds since the epoch, found ${event.at}`);
    const isOwn = event.environment === undefined || event.environment === name;
    expectThat(isOwn, `expected events of "${name}" only, found one of ${show(event.environment)}`);
  }
}
