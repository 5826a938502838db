import { extract, type Header, pack } from 'tar-stream';
import { feedArchive } from '../../environment/target-files.ts';

/** A folder as a tar stream, and how its names become those of a build. */
export interface ContextSource {
  readonly tar: AsyncIterable<Uint8Array>;
  /** Parts of each name that go: 1 where the folder itself is the top entry. */
  readonly strip: 0 | 1;
  readonly isIgnored: (path: string) => boolean;
  /** Files that a build cannot do without, whatever is ignored. */
  readonly kept: readonly string[];
}

/** Makes the context of an image build: the files of a folder without those that are ignored. */
export async function* buildContext(source: ContextSource): AsyncGenerator<Uint8Array> {
  const from = extract();
  const to = pack();
  const feeding = feedArchive(from, source.tar);
  const copying = copyEntries(source, from, to);
  try {
    // Only bytes go in, so only bytes come out; streamx types them as unknown.
    for await (const chunk of to as AsyncIterable<Uint8Array>) yield chunk;
  } finally {
    from.destroy();
    to.destroy();
    await Promise.all([feeding, copying]);
  }
}

async function copyEntries(
  source: ContextSource,
  from: ReturnType<typeof extract>,
  to: ReturnType<typeof pack>,
): Promise<void> {
  try {
    for await (const entry of from) {
      const path = stripped(entry.header.name, source.strip);
      if (path === '' || (source.isIgnored(path) && !source.kept.includes(path))) {
        entry.resume();
        continue;
      }
      await copyEntry(entry as AsyncIterable<Uint8Array>, headerOf(entry.header, path, source.strip), to);
    }
    to.finalize();
  } catch (error) {
    to.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

function headerOf(header: Header, path: string, strip: 0 | 1): Header {
  const { linkname } = header;
  // A hard link names another entry.
  if (header.type !== 'link' || typeof linkname !== 'string') return { ...header, name: path };
  return { ...header, name: path, linkname: stripped(linkname, strip) };
}

async function copyEntry(
  content: AsyncIterable<Uint8Array>,
  header: Header,
  to: ReturnType<typeof pack>,
): Promise<void> {
  const done = Promise.withResolvers<void>();
  const sink = to.entry(header, (error) => (error ? done.reject(error) : done.resolve()));
  // Who reads the context hears of it.
  done.promise.catch(() => {});
  sink.on('error', () => {});
  for await (const chunk of content) {
    if (!sink.write(chunk)) await drained(sink);
  }
  sink.end(undefined);
  await done.promise;
}

function stripped(name: string, strip: 0 | 1): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  return parts.slice(strip).join('/');
}

function drained(sink: ReturnType<ReturnType<typeof pack>['entry']>): Promise<void> {
  return new Promise((resolve) => {
    sink.once('drain', () => resolve());
    sink.once('close', () => resolve());
  });
}
