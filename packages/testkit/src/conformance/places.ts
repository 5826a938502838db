import { execFile } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type Backend, type BackendError, isBackendError } from '@forgejo-runner/core';
import type { Check } from './check.ts';
import { describeError, expectSame, expectThat, Nonconformance, show } from './expectations.ts';
import { promptMs, type Stage, within } from './stage.ts';
import type { Workplace } from './workplace.ts';

type ConfigBelow = (folder: string) => unknown;

/** Where administrators put things, and what becomes of those places. */
export const places: readonly Check[] = [
  {
    id: 'C93',
    title: 'folders of the administrator may have odd names, and a full disk is told as such',
    limitMs: 120_000,
    needs: 'option configBelow; for the disk: root on Linux',
    run: async (stage) => {
      const { configBelow } = stage.options;
      if (configBelow === undefined) throw stage.skip('needs the option "configBelow"');
      await checkOddNames(stage, configBelow);
      if (process.platform !== 'linux' || process.geteuid?.() !== 0) {
        throw stage.skip('odd names made no difference; a disk that gets full needs root on Linux');
      }
      await checkFullDisk(stage, configBelow);
    },
  },
];

async function checkOddNames(stage: Stage, configBelow: ConfigBelow): Promise<void> {
  const folder = await stage.folder();
  await folder.write({ 'größe 名前 with space/.keep': '' });
  const backend = await stage.open({ config: configBelow(folder.join('größe 名前 with space')) });
  const place = await stage.create({ backend });
  await place.put([{ name: 'a b/ü', content: 'content' }]);
  expectSame(await place.ask('cat "a b/ü"'), 'content', 'a file');
  expectSame((await place.read(place.path('a b', 'ü'))).toString(), 'content', 'the file copied out');
  expectSame((await place.environment.remove(stage.context())).leaked, [], 'leaked by remove');
}

const pieceBytes = 1024 * 1024;

async function checkFullDisk(stage: Stage, configBelow: ConfigBelow): Promise<void> {
  const folder = await stage.folder();
  const disk = folder.join('disk');
  await mkdir(disk);
  await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'size=1g,mode=0755', 'conformance', disk]);
  // Behind the removal of everything that is on it.
  stage.defer(() => promisify(execFile)('umount', ['-l', '--', disk]));
  const backend = await stage.open({ config: configBelow(disk) });
  const place = await stage.create({ backend });
  expectSame(await place.ask('echo on'), 'on\n', 'what a process printed while there was room');
  await fill(`${disk}/filler`);
  await checkWriting(place);
  await checkCreating(stage, backend);
  const { leaked } = await within(place.environment.remove(stage.context()), promptMs, 'remove on a full disk');
  expectSame(leaked, [], 'leaked by remove on a full disk');
  await rm(`${disk}/filler`);
  const next = await stage.create({ backend });
  expectSame(await next.ask('echo on'), 'on\n', 'what a process printed once there was room again');
}

/** To the last page. */
async function fill(file: string): Promise<void> {
  await using handle = await open(file, 'w');
  for (const bytes of [pieceBytes, 4096]) {
    const piece = Buffer.alloc(bytes);
    const isWritten = (): Promise<boolean> =>
      handle.write(piece).then(
        ({ bytesWritten }) => bytesWritten === bytes,
        () => false,
      );
    while (await isWritten());
  }
}

/** A command fails by itself, and copying says what is the matter. */
async function checkWriting(place: Workplace): Promise<void> {
  const written = await within(place.sh('head -c 5000000 /dev/zero > big; echo $?').catch(told), promptMs, 'an exec');
  const isRefused = isBackendError(written) || written.out.trim() !== '0';
  expectThat(isRefused, 'expected a command to fail that writes to a full disk, found a success');
  const content = Buffer.alloc(5_000_000, 'x');
  const copied = await within(place.put([{ name: 'copied', content }]).catch(told), promptMs, 'copyIn to a full disk');
  expectThat(copied !== undefined, 'expected copyIn to a full disk to be rejected, found a success');
  const isClear = /space|full|disk/i.test(copied.message);
  expectThat(isClear, `expected copyIn to say that the disk is full, found ${describeError(copied)}`);
}

async function checkCreating(stage: Stage, backend: Backend): Promise<void> {
  const made = await within(stage.createEnvironment({ backend }).catch(told), 60_000, 'creating on a full disk');
  if (isBackendError(made)) return;
  // Whoever needs no room may go on.
  expectSame((await made.remove(stage.context())).leaked, [], 'leaked by remove of what was made on a full disk');
}

/** An error that somebody can act upon. @throws Nonconformance for any other one. */
function told(error: unknown): BackendError {
  if (error instanceof Nonconformance) throw error;
  const isTold = isBackendError(error) && error.code !== 'internal' && error.code !== 'lost';
  expectThat(isTold, `a full disk: expected a BackendError that tells so, found ${show(describeError(error))}`);
  return error;
}
