import { createHash, randomBytes } from 'node:crypto';
import { chmod, link, lstat, mkdir, readlink, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { packTar, unpackTar } from '@forgejo-runner/kit';
import type { TempFolder } from '../temp-folder.ts';
import type { Check } from './check.ts';
import { describeError, expectRejection, expectSame, expectThat } from './expectations.ts';
import * as gates from './gates.ts';
import { promptMs, type Stage, within } from './stage.ts';
import { watchMemory } from './streams.ts';
import { type TarEntry, tarOf } from './tar-entries.ts';
import type { Workplace } from './workplace.ts';

const mib = 1024 * 1024;
const noSignal = new AbortController().signal;

/** Files in and out. */
export const copy: readonly Check[] = [
  {
    id: 'C50',
    title: 'a tree comes back as it went in: names, modes, times, links, empty folders',
    run: async (stage) => checkRoundTrip(stage, await stage.workplace()),
  },
  {
    id: 'C51',
    title: 'owners are kept where that is asked for, and are those of the target otherwise',
    gate: gates.ownership,
    run: async (stage) => {
      const place = await stage.workplace();
      const entry: TarEntry = { name: 'owned', content: 'x', uid: 4242, gid: 4343 };
      const dest = place.info.paths.workspace;
      await place.target.copyIn({ dest, tar: tarOf([entry]), owner: 'keep' }, stage.context());
      expectSame(await place.ask('stat -c %u:%g owned'), '4242:4343\n', 'owner of a file that was to keep it');
      await place.put([{ ...entry, name: 'given' }]);
      expectSame(await place.ask('stat -c %u given'), await place.ask('id -u'), 'owner of a file otherwise');
    },
  },
  {
    id: 'C53',
    title: 'copyIn overwrites files, merges folders and makes missing parents',
    run: async (stage) => {
      const place = await stage.workplace();
      const dest = place.path('deep', 'er', 'dest');
      await place.put(
        [
          { name: 'a', content: 'old' },
          { name: 'folder/kept', content: 'kept' },
        ],
        dest,
      );
      await place.put(
        [
          { name: 'a', content: 'new, longer' },
          { name: 'folder/added', content: 'added' },
        ],
        dest,
      );
      expectSame(await place.ask('cat a folder/kept folder/added', { cwd: dest }), 'new, longerkeptadded', 'the files');
    },
  },
  {
    id: 'C54',
    title: 'a stream into copyIn that fails half-way rejects it, and the target goes on',
    run: async (stage) => {
      const place = await stage.workplace();
      async function* broken(): AsyncGenerator<Uint8Array> {
        for await (const chunk of tarOf([{ name: 'half', content: randomBytes(mib) }])) {
          yield chunk.subarray(0, mib / 2);
          throw new Error('the stream broke');
        }
      }
      const copying = place.target.copyIn({ dest: place.path('broken'), tar: broken() }, stage.context());
      const outcome = await within(copying, promptMs, 'a copyIn whose stream fails').then(
        () => undefined,
        describeError,
      );
      expectThat(outcome !== undefined, 'a copyIn whose stream fails: expected a rejection, found success');
      await place.put([{ name: 'next', content: 'next' }]);
      expectSame(await place.ask('cat next'), 'next', 'a file that was copied in after a failure');
    },
  },
  {
    id: 'C55',
    title: 'copyOut tells what is missing or too large, and stops when nobody reads on',
    run: async (stage) => checkCopyOut(stage, await stage.workplace()),
  },
  {
    id: 'C56',
    title: 'thousands of small files and one large file go both ways, in bounded memory',
    lane: 'full',
    limitMs: 180_000,
    run: async (stage) => checkLoad(stage, await stage.workplace()),
  },
  {
    id: 'C57',
    title: 'a file of all byte values goes both ways bit for bit',
    run: async (stage) => {
      const place = await stage.workplace();
      const content = Buffer.from(Array.from({ length: 256 * 64 }, (_, at) => (at + (at >> 8)) % 256));
      await place.put([{ name: 'bytes.bin', content }]);
      expectThat(
        (await place.read(place.path('bytes.bin'))).equals(content),
        'expected the same bytes back, found others',
      );
      const hash = (await place.ask('sha256sum < bytes.bin')).slice(0, 64);
      expectSame(hash, createHash('sha256').update(content).digest('hex'), 'SHA-256 inside');
    },
  },
  {
    id: 'C59',
    title: 'a shared path shows the same bytes at once',
    gate: gates.shared,
    run: async (stage) => {
      const place = await stage.workplace();
      await place.put([{ name: 'shared', content: 'by copy' }]);
      const path = place.target.sharedPath?.(place.path('shared'));
      expectThat(path !== undefined, 'expected a shared path for a file of the workspace, found none');
      await using folder = await stage.folder();
      await unpackTar({ tar: packTar({ src: path }, noSignal), dest: folder.path }, noSignal);
      await writeFile(path, 'by the shared path');
      expectSame(await place.ask('cat shared'), 'by the shared path', 'what a process sees');
      await place.sh('echo by a process > shared');
      expectSame(await place.ask('cat shared'), 'by a process\n', 'what a process sees of another');
    },
  },
];

const longName = `${'long-'.repeat(19)}/${'folder-'.repeat(14)}/${'name-'.repeat(20)}`;

async function layOut(folder: TempFolder): Promise<void> {
  await folder.write({
    'tree/plain': 'plain',
    'tree/empty-file': '',
    'tree/größe 名前': 'composed: \u00e9',
    'tree/de\u0301compose\u0301': 'decomposed',
    'tree/ leading and trailing ': 'spaces',
    [`tree/${longName}`]: 'long',
    'tree/program': '#!/bin/sh\necho ran\n',
    'tree/secret': 'secret',
  });
  await mkdir(folder.join('tree/empty-folder'));
  await chmod(folder.join('tree/program'), 0o755);
  await chmod(folder.join('tree/secret'), 0o400);
  await symlink('plain', folder.join('tree/relative'));
  await symlink('nowhere/at/all', folder.join('tree/dangling'));
  await link(folder.join('tree/plain'), folder.join('tree/hard'));
  await utimes(folder.join('tree/plain'), 1_500_000_000, 1_500_000_000);
}

async function checkRoundTrip(stage: Stage, place: Workplace): Promise<void> {
  const [from, to] = [await stage.folder(), await stage.folder()];
  await layOut(from);
  await place.target.copyIn(
    { dest: place.path('round'), tar: packTar({ src: from.join('tree') }, noSignal) },
    stage.context(),
  );
  const tree = { cwd: place.path('round', 'tree') };
  expectSame(await place.ask('./program', tree), 'ran\n', 'what a program printed that was copied in');
  expectSame(await place.ask('cat relative "$1"', { ...tree, args: [longName] }), 'plainlong', 'content inside');
  expectSame(await place.ask('ls -A empty-folder', tree), '', 'content of the empty folder');
  const tar = place.target.copyOut({ src: place.path('round', 'tree') }, stage.context());
  await unpackTar({ tar, dest: to.path }, noSignal);
  expectSame(await describeTree(to.join('tree')), await describeTree(from.join('tree')), 'the tree that came back');
}

async function describeTree(root: string): Promise<readonly unknown[]> {
  const names = ['', 'plain', 'empty-file', 'größe 名前', 'de\u0301compose\u0301', ' leading and trailing ', longName];
  const others = ['program', 'secret', 'empty-folder', 'relative', 'dangling', 'hard'];
  const seen: unknown[] = [];
  for (const name of [...names, ...others]) {
    const found = await lstat(`${root}/${name}`).catch(() => undefined);
    if (found === undefined) seen.push([name, 'missing']);
    else if (found.isSymbolicLink()) seen.push([name, await readlink(`${root}/${name}`)]);
    else
      seen.push([name, found.isDirectory() ? 'folder' : found.size, found.mode & 0o777, isClose(name, found.mtimeMs)]);
  }
  return seen;
}

/** Times of files; those of folders change when something is put into them. */
function isClose(name: string, mtimeMs: number): boolean {
  return name !== 'plain' || Math.abs(mtimeMs - 1_500_000_000_000) <= 1000;
}

async function drained(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let total = 0;
  for await (const chunk of chunks) total += chunk.length;
  return total;
}

async function checkCopyOut(stage: Stage, place: Workplace): Promise<void> {
  const out = (name: string, maxBytes?: number): AsyncIterable<Uint8Array> => {
    const limit = maxBytes === undefined ? {} : { maxBytes };
    return place.target.copyOut({ src: place.path(name), ...limit }, stage.context());
  };
  await expectRejection(drained(out('not-there')), ['not_found'], 'copyOut of what is not there');
  await expectRejection(drained(out('not/there/either')), ['not_found'], 'copyOut from a folder that is not there');
  await place.ask('mkdir -p outs && head -c 3000000 /dev/zero > outs/large && echo small > outs/small');
  await expectRejection(drained(out('outs/large', 1000)), ['plan'], 'copyOut of more than maxBytes');
  await expectRejection(drained(out('outs', 1000)), ['plan'], 'copyOut of a folder with more than maxBytes');
  expectThat((await drained(out('outs/small', 1000))) > 0, 'copyOut within maxBytes: expected bytes, found none');
  await using folder = await stage.folder();
  await unpackTar({ tar: out('outs'), dest: folder.path }, noSignal);
  expectSame((await lstat(folder.join('outs', 'large'))).size, 3_000_000, 'size of a file of a folder');
  const first = (async () => {
    for await (const chunk of out('outs/large')) return chunk.length;
    return 0;
  })();
  expectThat((await within(first, promptMs, 'breaking off a copyOut')) > 0, 'expected a first chunk, found none');
  await growing(stage, place);
}

/** A file that grows meanwhile is cut somewhere, but the archive stays whole. */
async function growing(stage: Stage, place: Workplace): Promise<void> {
  const stop = new AbortController();
  const running = place.startSh('while :; do head -c 65536 /dev/zero >> outs/growing; sleep 0.01; done', {
    signal: stop.signal,
  });
  try {
    await using folder = await stage.folder();
    const src = place.path('outs', 'growing');
    for (let tries = 0; ; tries += 1) {
      try {
        const tar = place.target.copyOut({ src }, stage.context());
        await within(unpackTar({ tar, dest: folder.path }, noSignal), promptMs, 'copyOut of a growing file');
        break;
      } catch (error) {
        // It may not have begun to write.
        const isEarly = describeError(error).includes('not_found') && tries < 100;
        expectThat(isEarly, `copyOut of a growing file: expected a whole archive, found ${describeError(error)}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    expectThat((await lstat(folder.join(basename(src)))).isFile(), 'expected the growing file, found something else');
  } finally {
    stop.abort();
    await running.handle.result.catch(() => {});
    await place.sh('rm -rf outs');
  }
}

async function checkLoad(stage: Stage, place: Workplace): Promise<void> {
  const [from, to] = [await stage.folder(), await stage.folder()];
  const files = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`many/${at % 100}/${at}`, String(at)]));
  await from.write(files);
  const began = performance.now();
  const many = { dest: place.path('load'), tar: packTar({ src: from.join('many') }, noSignal) };
  await place.target.copyIn(many, stage.context());
  const tar = place.target.copyOut({ src: place.path('load', 'many') }, stage.context());
  await unpackTar({ tar, dest: to.path }, noSignal);
  stage.measure('s for 10 000 files both ways', (performance.now() - began) / 1000);
  expectSame(await place.ask('find load/many -type f | wc -l | tr -d " "'), '10000\n', 'files inside');
  await writeFile(from.join('large'), '');
  const bytes = stage.amount(256, 1024) * mib;
  await truncate(from.join('large'), bytes);
  using memory = watchMemory();
  const large = { dest: place.path('load'), tar: packTar({ src: from.join('large') }, noSignal) };
  await place.target.copyIn(large, stage.context());
  const back = await drained(place.target.copyOut({ src: place.path('load', 'large') }, stage.context()));
  stage.measure('MB more memory', memory.growth() / mib);
  await place.sh('rm -rf load');
  expectThat(back >= bytes, `expected ${bytes} bytes back, found ${back}`);
  expectThat(
    memory.growth() < 128 * mib,
    `expected memory not to grow by 128 MiB, found ${memory.growth()} bytes more`,
  );
}
