import type { ExecResult } from '@forgejo-runner/core';
import type { Check } from './check.ts';
import { expectRejection, expectSame, expectThat, Nonconformance, show } from './expectations.ts';
import * as gates from './gates.ts';
import type { Stage } from './stage.ts';
import { ended, type ExecOver, type Workplace } from './workplace.ts';

/** How one process is started and how it ends. */
export const exec: readonly Check[] = [
  {
    id: 'C20',
    title: 'exit codes arrive as they are',
    run: async (stage) => {
      const place = await stage.workplace();
      const few = [0, 1, 2, 3, 7, 42, 64, 78, 100, 125, 126, 127, 128, 129, 130, 137, 143, 200, 254, 255];
      const all = Array.from({ length: 256 }, (_, code) => code);
      for (const code of stage.lane === 'quick' ? few : all) {
        expectSame((await place.sh(`exit ${code}`)).result, { kind: 'exited', code }, `the result of "exit ${code}"`);
      }
    },
  },
  {
    id: 'C21',
    title: 'a death by a signal is "signaled" or 128 + n, and the same each time',
    run: async (stage) => {
      const place = await stage.workplace();
      const signals = { TERM: 15, KILL: 9, SEGV: 11 };
      const kinds = new Set<string>();
      for (const [name, number] of Object.entries(signals)) {
        const { result } = await place.sh(`kill -${name} $$; sleep 5`);
        expectThat(isDeathBy(result, name, number), `the result of a death by ${name}: found ${show(result)}`);
        kinds.add(result.kind);
      }
      expectSame(kinds.size, 1, 'ways in which the backend tells a death by a signal');
    },
  },
  {
    id: 'C22',
    title: 'a program that is missing or cannot be executed is told from one that fails',
    run: async (stage) => {
      const place = await stage.workplace();
      await place.put([{ name: 'plain-file', mode: 0o644, content: '#!/bin/sh\necho ran\n' }]);
      await expectNoStart(place, 'no-such-program-anywhere', 127);
      await expectNoStart(place, '/no/such/program', 127);
      await expectNoStart(place, place.path('plain-file'), 126);
      expectSame(await place.ask('echo next'), 'next\n', 'what the next exec printed');
    },
  },
  {
    id: 'C23',
    title: 'arguments arrive byte for byte, whatever is in them',
    run: async (stage) => {
      const place = await stage.workplace();
      const many = Array.from({ length: 2000 }, (_, at) => `argument ${at}`);
      for (const args of [awkward, many]) {
        const out = await place.ask('for each; do printf "%s\\0" "$each"; done', { args });
        expectSame(out.split('\0').slice(0, -1), args, 'the arguments that a program saw');
      }
    },
  },
  {
    id: 'C24',
    title: 'a process has exactly the environment that was asked for',
    run: async (stage) => {
      const place = await stage.workplace();
      const asked = {
        PATH: place.info.env.defaultPath,
        PLAIN: 'value',
        EMPTY: '',
        LINES: 'a\nb\r\nc',
        EQUAL: 'a=b==c',
        QUOTES: `'"\`$(id)\\`,
        UNICODE: 'größe 名前 💥',
        DIGITS_12: '1',
        'INPUT_WITH-DASH': 'x',
        SPACES: '  both ends  ',
      };
      const found = await environmentOf(place, { env: asked });
      const extra = Object.keys(found).filter((name) => !Object.hasOwn(asked, name) && !isAllowed(stage, name));
      expectSame(extra, [], 'variables that nobody asked for');
      for (const [name, value] of Object.entries(asked)) expectSame(found[name], value, `variable ${name}`);
    },
  },
  {
    id: 'C25',
    title: 'a large environment arrives, one that is too large is refused, and the next exec runs',
    run: async (stage) => {
      const place = await stage.workplace();
      const env = { ...place.target.baseEnv, LARGE: 'x'.repeat(120 * 1024) };
      expectSame(await place.ask('printf %s "$LARGE" | wc -c | tr -d " "', { env }), '122880\n', 'length of the value');
      const many = (kib: number): Record<string, string> => {
        const values = Array.from({ length: kib / 64 }, (_, at) => [`LARGE_${at}`, 'y'.repeat(64 * 1024)]);
        return { ...place.target.baseEnv, ...Object.fromEntries(values) };
      };
      expectSame(await place.ask('echo $LARGE_23 | wc -c | tr -d " "', { env: many(1536) }), '65537\n', '1.5 MiB');
      await expectNoSuccess(place, { env: many(8192) });
      expectSame(await place.ask('echo next'), 'next\n', 'what the exec after one that was too large printed');
    },
  },
  {
    id: 'C26',
    title: 'nothing of the environment of the runner is handed on',
    run: async (stage) => {
      const name = 'CONFORMANCE_TOKEN_OF_THE_RUNNER';
      process.env[name] = 'a secret of the runner';
      stage.defer(async () => delete process.env[name]);
      const place = await stage.create();
      expectThat(!Object.hasOwn(place.target.baseEnv, name), `expected no ${name} in baseEnv, found it`);
      const found = await environmentOf(place, { env: {} });
      const own = Object.keys(found).filter((one) => !isAllowed(stage, one));
      expectSame(own, [], 'variables of a process that was given none');
      for (const odd of ['HOSTNAME', 'PWD', 'SHLVL', '_']) {
        expectThat(!Object.hasOwn(place.target.baseEnv, odd), `expected no ${odd} in baseEnv, found it`);
      }
    },
  },
  {
    id: 'C28',
    title: 'a process starts in its folder, whatever that is called; a missing one is refused with "plan"',
    run: async (stage) => {
      const place = await stage.workplace();
      for (const name of ['with spaces', 'größe 名前', 'l'.repeat(200), "it's $HOME"]) {
        await place.put([{ name: `${name}/inside`, content: name }]);
        expectSame((await place.sh('cat inside', { cwd: place.path(name) })).out, name, `a file in ${show(name)}`);
      }
      await place.put([{ name: 'real/inside', content: 'real' }]);
      await place.put([{ name: 'linked', type: '2', link: 'real' }]);
      expectSame((await place.sh('cat inside', { cwd: place.path('linked') })).out, 'real', 'a file over a symlink');
      const lost = ended(place.start(['true'], { cwd: place.path('not-there') }));
      await expectRejection(lost, ['plan'], 'an exec in a folder that is not there');
    },
  },
  {
    id: 'C29',
    title: 'a process runs as the user that was asked for, and an unknown one is refused with "plan"',
    gate: gates.user,
    run: async (stage) => {
      const place = await stage.workplace();
      expectSame(await place.ask('id -u', { user: '0' }), '0\n', 'id -u of user 0');
      const { user } = stage.options;
      if (user !== undefined) {
        expectSame(await place.ask('id -u', { user: user.name }), `${user.uid}\n`, `id -u of ${user.name}`);
        expectSame(await place.ask('id -u', { user: String(user.uid) }), `${user.uid}\n`, `id -u of ${user.uid}`);
        await place.ask('touch by-user && rm by-user', { user: user.name });
      }
      const unknown = ended(place.start(['true'], { user: 'no-such-user' }));
      await expectRejection(unknown, ['plan'], 'an exec as a user that does not exist');
    },
  },
];

const awkward = [
  '',
  ' ',
  'a b',
  '"',
  "'",
  '`id`',
  '$(id)',
  '${HOME}',
  '\\',
  '\\\\n',
  'a\nb',
  '\t',
  'größe 名前 💥',
  '\u0080\u00ff',
  '-n',
  '--',
  '*',
  '~',
  ';',
  '|',
  '&&',
  '%s%n',
  '!x',
  '#x',
  '\r',
  '',
];

function isDeathBy(result: ExecResult, name: string, number: number): boolean {
  if (result.kind === 'signaled') return result.signal === `SIG${name}`;
  return result.kind === 'exited' && result.code === 128 + number;
}

/** What the platform cannot tell may be an exit code of a shell; what it can is `plan`. */
async function expectNoStart(place: Workplace, program: string, code: number): Promise<void> {
  const what = `an exec of ${show(program)}`;
  let ran: Awaited<ReturnType<Workplace['run']>>;
  try {
    ran = await place.run([program]);
  } catch (error) {
    await expectRejection(Promise.reject(error), ['plan'], what);
    return;
  }
  expectSame(ran.result, { kind: 'exited', code }, `the result of ${what}`);
  expectSame(ran.out, '', `what ${what} left on stdout`);
}

async function expectNoSuccess(place: Workplace, over: ExecOver): Promise<void> {
  try {
    const { result } = await place.run(['true'], over);
    const isFailure = result.kind === 'exited' && result.code !== 0;
    expectThat(isFailure, `an environment of 8 MiB: expected an error, found ${show(result)}`);
  } catch (error) {
    if (error instanceof Nonconformance) throw error;
    await expectRejection(Promise.reject(error), ['plan', 'unsupported'], 'an environment of 8 MiB');
  }
}

/** The environment of a process as it began with it. */
async function environmentOf(place: Workplace, over: ExecOver): Promise<Readonly<Record<string, string>>> {
  const isLinux = place.info.os === 'Linux';
  const { result, out } = isLinux
    ? await place.run(['/bin/cat', '/proc/self/environ'], over)
    : await place.run(['/usr/bin/env', '-0'], over);
  expectSame(result, { kind: 'exited', code: 0 }, 'the result of reading the environment');
  const entries = out.split('\0').filter(Boolean);
  return Object.fromEntries(
    entries.map((entry) => [entry.split('=', 1)[0] ?? '', entry.slice(entry.indexOf('=') + 1)]),
  );
}

function isAllowed({ options }: Stage, name: string): boolean {
  return ['FJR_', ...(options.extraVariables ?? [])].some((prefix) => name.startsWith(prefix));
}
