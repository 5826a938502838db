import { extract, pack } from 'tar-stream';
import { expect, it } from 'vitest';
import { buildContext, type ContextSource } from './build-context.ts';

type Bytes = AsyncIterable<Uint8Array>;

function tarOf(files: Readonly<Record<string, string>>): Bytes {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name, mode: 0o755 }, content);
  archive.finalize();
  return archive as Bytes;
}

async function listed(source: Partial<ContextSource> & Pick<ContextSource, 'tar'>): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const archive = extract();
  const feeding = (async () => {
    const context = buildContext({ strip: 0, isIgnored: () => false, kept: [], ...source });
    for await (const chunk of context)
      if (!archive.write(chunk)) await new Promise<void>((resolve) => archive.once('drain', () => resolve()));
    archive.end(undefined);
  })();
  for await (const entry of archive) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry as Bytes) chunks.push(chunk);
    files[entry.header.name] = `${Buffer.concat(chunks).toString()}${entry.header.mode === 0o755 ? '' : ' mode lost'}`;
  }
  await feeding;
  return files;
}

it('keeps files as they are', async () => {
  expect(await listed({ tar: tarOf({ 'a/b': 'content', c: 'x'.repeat(300_000) }) })).toEqual({
    'a/b': 'content',
    c: 'x'.repeat(300_000),
  });
});

it('takes the folder itself off the names', async () => {
  expect(await listed({ strip: 1, tar: tarOf({ 'top/a': '1', 'top/b/c': '2', 'top/': '' }) })).toEqual({
    a: '1',
    'b/c': '2',
  });
});

it('leaves out what is ignored, but not what the build needs', async () => {
  const source = { isIgnored: () => true, kept: ['Dockerfile'], tar: tarOf({ Dockerfile: 'FROM x', a: '1' }) };
  expect(await listed(source)).toEqual({ Dockerfile: 'FROM x' });
});

it('fails when the folder cannot be read to its end', async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    for await (const chunk of tarOf({ a: 'x'.repeat(100_000) })) {
      yield chunk.subarray(0, 700);
      throw new Error('gone');
    }
  }
  await expect(
    (async () => {
      for await (const _ of buildContext({ strip: 0, isIgnored: () => false, kept: [], tar: broken() }));
    })(),
  ).rejects.toThrow('gone');
});
