import type { ExecutionEnvironment, Target } from '@forgejo-runner/core';
import { callContext } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { extract, type Header, pack } from 'tar-stream';
import { type Bench, hasEngine, inventory, makeImage, openBench, sh } from './docker-fixture.ts';

let bench: Bench;
let environment: ExecutionEnvironment;
let target: Target;
let made = 0;

type Entry = readonly [header: Partial<Header> & { readonly name: string }, content?: Buffer | string];

/** An archive as a stream of bytes. */
function tarOf(...entries: readonly Entry[]): AsyncIterable<Uint8Array> {
  const archive = pack();
  for (const [header, content = ''] of entries) archive.entry(header, content);
  archive.finalize();
  return archive as AsyncIterable<Uint8Array>;
}

/** Puts entries into a new folder and gives its path. */
async function put(
  entries: readonly Entry[],
  rest: { readonly dest?: string; readonly owner?: 'keep' } = {},
): Promise<string> {
  made += 1;
  const { dest = `/tmp/new-${made}/inside` } = rest;
  await target.copyIn({ dest, tar: tarOf(...entries), ...rest }, callContext());
  return dest;
}

async function take(
  src: string,
  maxBytes?: number,
): Promise<readonly { readonly header: Header; readonly content: Buffer }[]> {
  const reader = extract();
  const found: { header: Header; content: Buffer }[] = [];
  const reading = (async () => {
    for await (const entry of reader) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
      found.push({ header: entry.header, content: Buffer.concat(chunks) });
    }
  })();
  const request = { src, ...(maxBytes === undefined ? {} : { maxBytes }) };
  for await (const chunk of target.copyOut(request, callContext())) reader.write(Buffer.from(chunk));
  reader.end(null);
  await reading;
  return found;
}

const look = async (script: string): Promise<string> => (await sh(target, script)).stdout;

describe.skipIf(!hasEngine)('files of a container', () => {
  beforeAll(async () => {
    bench = await openBench(makeImage('busybox-runner', { changes: ['USER runner'] }));
    environment = await bench.create();
    if (environment.target === undefined) throw new Error('expected a target');
    target = environment.target;
  });
  afterAll(async () => {
    await environment?.remove(callContext());
    if (bench !== undefined) expect(inventory(bench.owner.runner)).toEqual([]);
  });

  it('come in with modes, links and long names, and belong to the user of the container', async () => {
    const long = `${'deep/'.repeat(50)}${'n'.repeat(120)}`;
    const dest = await put([
      [{ name: 'run.sh', mode: 0o4755 }, '#!/bin/sh\necho ran\n'],
      [{ name: 'secret', mode: 0o400 }, 'x'],
      [{ name: 'to', type: 'symlink', linkname: '../../../outside' }],
      [{ name: 'hard', type: 'link', linkname: 'secret', mode: 0o400 }],
      [{ name: 'empty', type: 'directory', mode: 0o700 }],
      [{ name: long }, 'long'],
      [{ name: 'ünï' }, 'name'],
    ]);
    const script = `cd ${dest}; stat -c '%a %u %g' run.sh secret empty; stat -c %h hard; ./run.sh; cat ${long} ünï; touch new && echo mine; ls -l to`;
    const lines = (await look(script)).split('\n');
    expect(lines.slice(0, 5)).toEqual(['755 1000 1001', '400 1000 1001', '700 1000 1001', '2', 'ran']);
    expect(lines[5]).toContain('longname');
    expect(lines.join('\n')).toContain('-> ../../../outside');
  });

  it('keep their owners where that is asked for', async () => {
    const dest = await put([[{ name: 'file', uid: 1234, gid: 4321 }, 'x']], { owner: 'keep' });
    expect(await look(`stat -c '%u %g' ${dest}/file`)).toBe('1234 4321\n');
  });

  it('merge with what is there, and replace files', async () => {
    const dest = await put([
      [{ name: 'a/kept' }, 'kept'],
      [{ name: 'a/file' }, 'old'],
    ]);
    await put([[{ name: 'a', type: 'directory' }], [{ name: 'a/file' }, 'new']], { dest });
    expect(await look(`cat ${dest}/a/kept ${dest}/a/file`)).toBe('keptnew');
  });

  it('merge with a folder that the archive does not name, whose mode stays', async () => {
    const dest = await put([
      [{ name: 'a', type: 'directory', mode: 0o700 }],
      [{ name: 'a/kept' }, 'kept'],
      [{ name: 'file' }, 'old'],
    ]);
    // A question to the engine while it unpacks would never be answered.
    await put(
      [
        [{ name: 'file' }, 'new'],
        [{ name: 'a/b/c/added' }, 'added'],
        [{ name: 'last' }, 'last'],
      ],
      { dest },
    );
    const script = `cd ${dest}; cat file a/kept a/b/c/added last; stat -c ' %a %u' a a/b/c`;
    expect(await look(script)).toBe('newkeptaddedlast 700 1000\n 755 1000\n');
  });

  it.each<[string, readonly Entry[]]>([
    ['a part ".."', [[{ name: '../out' }, 'x']]],
    ['an absolute name', [[{ name: '/tmp/out' }, 'x']]],
    ['a path over a symlink', [[{ name: 'l', type: 'symlink', linkname: '/tmp' }], [{ name: 'l/out' }, 'x']]],
    [
      'a folder over a symlink',
      [
        [{ name: 'l', type: 'symlink', linkname: '/tmp' }],
        [{ name: 'l', type: 'directory' }],
        [{ name: 'l/out' }, 'x'],
      ],
    ],
    ['a hard link out of it', [[{ name: 'h', type: 'link', linkname: '../../etc/passwd' }]]],
    ['a device', [[{ name: 'null', type: 'character-device', devmajor: 1, devminor: 3 }]]],
    ['a pipe', [[{ name: 'pipe', type: 'fifo' }]]],
  ])('are refused for %s', async (_, entries) => {
    await expect(put(entries)).rejects.toMatchObject({ code: 'plan' });
    expect(await look('test -e /tmp/out || echo nothing')).toBe('nothing\n');
  });

  it('do not go over a symlink that the job made', async () => {
    const dest = await put([[{ name: 'a/file' }, 'x']]);
    await look(`rm ${dest}/a/file; rm -r ${dest}/a; ln -s /tmp ${dest}/a`);
    await expect(put([[{ name: 'a', type: 'directory' }], [{ name: 'a/over' }, 'x']], { dest })).rejects.toMatchObject({
      code: 'plan',
    });
    await expect(put([[{ name: 'a/over' }, 'x']], { dest })).rejects.toMatchObject({ code: 'plan' });
    expect(await look('test -e /tmp/over || echo nothing')).toBe('nothing\n');
  });

  it('are refused half-way when the archive fails, and the container goes on', async () => {
    const tar = (async function* () {
      yield Buffer.alloc(100, 'x');
      throw new Error('the source broke');
    })();
    await expect(target.copyIn({ dest: '/tmp/broken', tar }, callContext())).rejects.toThrow('the source broke');
    const early = (async function* () {
      for await (const chunk of tarOf([{ name: 'a' }, 'x'.repeat(1000)])) {
        yield chunk.subarray(0, 700);
        return;
      }
    })();
    await expect(target.copyIn({ dest: '/tmp/early', tar: early }, callContext())).rejects.toMatchObject({
      code: 'plan',
    });
    expect(await look('echo usable')).toBe('usable\n');
  });

  it('come out as they went in', async () => {
    const content = Buffer.from(Array.from({ length: 256 * 40 }, (_, index) => index % 256));
    const dest = await put([[{ name: 'bytes' }, content], [{ name: 'link', type: 'symlink', linkname: 'bytes' }]]);
    const [file] = await take(`${dest}/bytes`);
    expect(file?.header).toMatchObject({ name: 'bytes', type: 'file' });
    expect(file?.content.equals(content)).toBe(true);
    const folder = await take(dest);
    expect(folder.map(({ header }) => header.name).toSorted()).toEqual(['inside/', 'inside/bytes', 'inside/link']);
  });

  it('come out only up to their limit', async () => {
    const dest = await put([[{ name: 'file' }, 'x'.repeat(1000)]]);
    expect(await take(`${dest}/file`, 1000)).toHaveLength(1);
    await expect(take(`${dest}/file`, 999)).rejects.toMatchObject({ code: 'plan' });
  });

  it('are not found where there are none', async () => {
    await expect(take('/no/such/file')).rejects.toMatchObject({ code: 'not_found' });
    await expect(take('relative')).rejects.toMatchObject({ code: 'plan' });
  });

  it('go both ways by 100 MB', async () => {
    const piece = Buffer.alloc(1024 * 1024, 'x');
    const archive = pack();
    const size = 100 * piece.length;
    const writing = (async () => {
      const entry = archive.entry({ name: 'large', size });
      for (let index = 0; index < 100; index += 1) {
        if (!entry.write(piece)) await new Promise<void>((resolve) => void entry.once('drain', resolve));
      }
      entry.end(null);
      archive.finalize();
    })();
    await target.copyIn({ dest: '/tmp/large', tar: archive as AsyncIterable<Uint8Array> }, callContext());
    await writing;
    let bytes = 0;
    for await (const chunk of target.copyOut({ src: '/tmp/large/large' }, callContext())) bytes += chunk.length;
    expect(bytes).toBeGreaterThan(size);
  });
});
