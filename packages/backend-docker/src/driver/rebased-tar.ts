import { posix } from 'node:path';
import { BackendError } from '@forgejo-runner/core';
import { feedArchive, firstFailure, safeParts } from '@forgejo-runner/kit';
import { type Extract, extract, type Header, pack, type Pack } from 'tar-stream';

/** Where the entries of an archive go. */
export interface Rebasing {
  /** Absolute, without `.`, `..` and a slash at its end. */
  readonly dest: string;
  /** Folders that are made first, outermost first. */
  readonly missing: readonly string[];
  /** Absent: who the archive says. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Looks for a folder where the entries go. A symlink is none. Never called while a part is being sent. */
  readonly isFolder: (path: string) => Promise<boolean>;
  /** Has one part of the archive unpacked, relative to the root of the container. */
  readonly send: (part: Pack) => Promise<void>;
}

/** What is being sent. */
interface Part {
  readonly pack: Pack;
  readonly sent: Promise<void>;
}

type Entry = Extract extends AsyncIterable<infer E> ? E : never;

/** An archive that makes us remember more than this is none of a job. */
const maxNames = 500_000;

/**
 * An archive whose entries are put below another folder on their way. Entries that would land outside of it, devices
 * and pipes are refused, and so is whatever leads over a symlink: the engine would follow it.
 *
 * It goes in several parts where the archive does not name its folders: whether one is there has to be asked, and Docker
 * answers no question about a container while it unpacks something there.
 */
export class RebasedTar {
  /** Settles when all of the archive was sent. */
  readonly done: Promise<void>;
  readonly #rebasing: Rebasing;
  readonly #reader = extract();
  readonly #stop = firstFailure(this.#reader);
  readonly #folders = new Set<string>();
  readonly #links = new Set<string>();
  /** Folders that were not there before. */
  readonly #made = new Set<string>();
  #part: Part | undefined;

  constructor(tar: AsyncIterable<Uint8Array>, rebasing: Rebasing) {
    this.#rebasing = rebasing;
    this.done = this.#run(tar);
  }

  get failure(): { readonly error: unknown } | undefined {
    return this.#stop.failure;
  }

  /** Ends it before its time. */
  stop(error: unknown): void {
    this.#stop.because(error);
    this.#part?.pack.destroy(error instanceof Error ? error : new Error(String(error)));
  }

  /** The part that is being sent, a new one where none is. */
  #open(): Pack {
    if (this.#part !== undefined) return this.#part.pack;
    const output = pack();
    output.on('error', () => {});
    const sent = this.#rebasing.send(output);
    // An engine that has enough of an archive answers before the end of it.
    sent.catch((error: unknown) => this.stop(error));
    this.#part = { pack: output, sent };
    return output;
  }

  async #close(): Promise<void> {
    const part = this.#part;
    part?.pack.finalize();
    await part?.sent;
    this.#part = undefined;
  }

  async #run(tar: AsyncIterable<Uint8Array>): Promise<void> {
    for (const folder of this.#rebasing.missing) await this.#write({ name: folder, type: 'directory', mode: 0o755 });
    // Not before: an entry that comes while nobody listens is lost, and its reader waits for ever.
    const feeding = feedArchive(tar, this.#reader, this.#stop);
    try {
      for await (const entry of this.#reader) await this.#pass(entry);
    } catch (error) {
      this.#stop.because(error);
    }
    await feeding;
    // What is half-way must not look whole to the engine.
    if (this.#stop.failure === undefined) return this.#close();
    this.stop(this.#stop.failure.error);
    throw this.#stop.failure.error;
  }

  async #pass(entry: Entry): Promise<void> {
    const { header } = entry;
    const parts = safeParts(header.name, 'posix');
    if (header.type === 'directory') {
      // The folder itself belongs to whoever asked for it.
      if (parts.length > 0) await this.#folder(parts, header);
      entry.resume();
      return;
    }
    const name = parts.at(-1);
    if (name === undefined) throw refused(header, 'a name for the archive itself');
    await this.#parents(parts.slice(0, -1), header);
    const key = parts.join('/');
    this.#links.delete(key);
    switch (header.type) {
      case 'file':
      case 'contiguous-file':
        if (isSparse(header)) throw refused(header, 'a sparse file in GNU form');
        return this.#file(parts, entry);
      case 'symlink':
        if ((header.linkname ?? '') === '') throw refused(header, 'a symlink to nothing');
        this.#remember(this.#links, key, header);
        await this.#write({ ...this.#common(parts, header), type: 'symlink', linkname: header.linkname ?? '' });
        break;
      case 'link':
        await this.#hardLink(parts, header);
        break;
      default:
        throw refused(header, `an entry of type "${header.type ?? 'unknown'}"`);
    }
    entry.resume();
  }

  async #folder(parts: readonly string[], header: Header): Promise<void> {
    await this.#parents(parts.slice(0, -1), header);
    const key = parts.join('/');
    if (this.#links.has(key)) throw refused(header, 'a path over a symlink');
    this.#remember(this.#folders, key, header);
    await this.#write({ ...this.#common(parts, header), type: 'directory' });
  }

  /** Folders that the archive does not name have to be there, or are made. */
  async #parents(parts: readonly string[], header: Header): Promise<void> {
    for (let length = 1; length <= parts.length; length += 1) {
      const key = parts.slice(0, length).join('/');
      if (this.#folders.has(key)) continue;
      if (this.#links.has(key)) throw refused(header, 'a path over a symlink');
      this.#remember(this.#folders, key, header);
      const path = posix.join(this.#rebasing.dest, key);
      if (await this.#isThere(path, parts.slice(0, length - 1).join('/'))) continue;
      this.#made.add(key);
      // Where a symlink or a file is in the way, the engine refuses it.
      await this.#write({ name: path, type: 'directory', mode: 0o755 });
    }
  }

  async #isThere(path: string, parent: string): Promise<boolean> {
    if (this.#rebasing.missing.length > 0 || this.#made.has(parent)) return false;
    await this.#close();
    return this.#rebasing.isFolder(path);
  }

  async #hardLink(parts: readonly string[], header: Header): Promise<void> {
    const target = safeParts(header.linkname ?? '', 'posix');
    if (target.length === 0) throw refused(header, 'a hard link to nothing');
    if (this.#links.has(target.join('/'))) throw refused(header, 'a hard link to something other than a file');
    await this.#parents(target.slice(0, -1), header);
    const linkname = posix.join(this.#rebasing.dest, ...target).replace(/^\/+/, '');
    await this.#write({ ...this.#common(parts, header), type: 'link', linkname });
  }

  async #file(parts: readonly string[], entry: Entry): Promise<void> {
    const size = entry.header.size ?? 0;
    const written = Promise.withResolvers<void>();
    const sink = this.#open().entry(
      this.#named({ ...this.#common(parts, entry.header), type: 'file', size }),
      (error) => (error ? written.reject(error) : written.resolve()),
    );
    written.promise.catch(() => {});
    // Its end is told by the callback.
    sink.on('error', () => {});
    // The reader hands on pieces of what it was fed; streamx types them as unknown.
    for await (const chunk of entry as AsyncIterable<Uint8Array>) {
      if (sink.write(chunk)) continue;
      await Promise.race([new Promise<void>((resolve) => void sink.once('drain', resolve)), written.promise]);
    }
    sink.end(null);
    await written.promise;
  }

  #common(parts: readonly string[], { mode, mtime, uid, gid }: Header): Partial<Header> & { readonly name: string } {
    const isKept = this.#rebasing.owner === undefined;
    return {
      name: posix.join(this.#rebasing.dest, ...parts),
      // Rights of somebody else come only with somebody else's files.
      mode: (mode ?? 0o644) & (isKept ? 0o7777 : 0o777),
      ...(mtime === undefined ? {} : { mtime }),
      ...(isKept ? { uid: uid ?? 0, gid: gid ?? 0 } : {}),
    };
  }

  #named(header: Partial<Header> & { readonly name: string }): Header & { readonly name: string } {
    const name = header.name.replace(/^\/+/, '');
    const { owner } = this.#rebasing;
    // tar-stream fills in what is left out.
    return { ...header, ...owner, name: header.type === 'directory' ? `${name}/` : name } as Header;
  }

  async #write(header: Partial<Header> & { readonly name: string }): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#open().entry(this.#named(header), (error) => (error ? reject(error) : resolve()));
    });
  }

  #remember(names: Set<string>, name: string, header: Header): void {
    if (names.size >= maxNames) throw refused(header, 'too many folders and links');
    names.add(name);
  }
}

function isSparse({ pax }: Header): boolean {
  return typeof pax === 'object' && pax !== null && Object.keys(pax).some((key) => key.startsWith('GNU.sparse.'));
}

function refused({ name }: Header, found: string): BackendError {
  const shown = JSON.stringify(name.slice(0, 200));
  return new BackendError('plan', `expected files, folders and links in the archive, found ${found} at ${shown}`, {
    resource: name,
  });
}
