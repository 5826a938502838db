import type { Check } from './check.ts';
import { expectSame, expectThat, show } from './expectations.ts';
import type { Stage } from './stage.ts';
import { tarOf } from './tar-entries.ts';
import type { Ran, Workplace } from './workplace.ts';

/** Targets that are no POSIX system. */
export const windows: readonly Check[] = [
  {
    id: 'C95',
    title: 'a Windows target has its own paths, names of variables and exit codes, and needs no POSIX tools',
    needs: 'a target with pathStyle "win32"',
    run: async (stage) => {
      const place = await stage.workplace();
      if (place.info.pathStyle !== 'win32') throw stage.skip('the target is no Windows');
      checkInfo(place);
      await checkVariables(place);
      await checkEnds(place);
      await checkFiles(stage, place);
    },
  },
];

function checkInfo({ info }: Workplace): void {
  expectSame(info.os, 'Windows', 'os');
  for (const [name, path] of Object.entries(info.paths)) {
    const isFine = /^[A-Za-z]:\\/.test(path) && !path.includes('/');
    expectThat(isFine, `paths.${name}: expected a path such as C:\\work, found ${show(path)}`);
  }
  const { caseInsensitive, pathSeparator } = info.env;
  expectSame([caseInsensitive, pathSeparator], [true, ';'], 'env.caseInsensitive and env.pathSeparator');
  expectThat(
    /^path$/i.test(info.env.pathName),
    `env.pathName: expected PATH in some spelling, found ${info.env.pathName}`,
  );
}

/** What every Windows has. */
function cmd(place: Workplace, line: string, env = place.target.baseEnv): Promise<Ran> {
  return place.run(['cmd.exe', '/d', '/s', '/c', line], { env });
}

async function checkVariables(place: Workplace): Promise<void> {
  const { info, target } = place;
  const env = { ...target.baseEnv, Mixed_Case: 'as it is', [info.env.pathName]: `${info.env.defaultPath};C:\\added` };
  const { out } = await cmd(place, 'echo %MIXED_case%& echo %path%', env);
  const [mixed = '', path = ''] = out.split(/\r?\n/).map((line) => line.trim());
  expectSame(mixed, 'as it is', 'a variable by its name in other letters');
  expectThat(path.endsWith(';C:\\added'), `expected the search path that was given, found ${show(path)}`);
  // Two spellings of one name would be a matter of luck.
  const listed = (await cmd(place, 'set', env)).out.split(/\r?\n/).filter((line) => /^path=/i.test(line));
  expectSame(listed.length, 1, 'search paths in the environment of a process');
}

/** Of a process that was ended by Ctrl-C. */
const controlC = 0xc000013a;

async function checkEnds(place: Workplace): Promise<void> {
  for (const code of [0, 1, 7, 255, 1000]) {
    expectSame((await cmd(place, `exit ${code}`)).result, { kind: 'exited', code }, `the result of exit ${code}`);
  }
  const { result } = await cmd(place, `exit ${controlC - 2 ** 32}`);
  const isFine =
    (result.kind === 'exited' && result.code === controlC) ||
    (result.kind === 'signaled' && result.signal === 'SIGINT');
  expectThat(isFine, `0xC000013A: expected this exit code without a sign, or SIGINT, found ${show(result)}`);
}

async function checkFiles(stage: Stage, place: Workplace): Promise<void> {
  const dest = `${place.info.paths.workspace}\\a folder`;
  const content = 'one\r\ntwo\n';
  await place.target.copyIn({ dest, tar: tarOf([{ name: 'sub/file.txt', content }]) }, stage.context());
  const { out } = await cmd(place, `type "${dest}\\sub\\file.txt"`);
  expectSame(out, content, 'a file that was copied in, with its line ends');
  const chunks: Uint8Array[] = [];
  for await (const chunk of place.target.copyOut({ src: `${dest}\\sub` }, stage.context())) chunks.push(chunk);
  const isThere = Buffer.concat(chunks).includes(content);
  expectThat(isThere, 'expected the file in the archive of copyOut, found another content');
}
