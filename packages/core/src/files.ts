/**
 * Puts the entries of a POSIX tar stream (pax) below `dest`. Makes `dest` and missing parents, merges, overwrites
 * files, keeps modes and symlinks, and refuses an entry that would land outside `dest`. Not atomic.
 */
export interface CopyInRequest {
  readonly dest: string;
  readonly tar: AsyncIterable<Uint8Array>;
  /** `keep` needs the capability `files.ownership`; the default is the user that execs run as. */
  readonly owner?: 'keep' | 'target-user';
}

/**
 * Asks for a file or folder as a POSIX tar stream (pax) with one top entry, named like the last part of `src`.
 * A missing `src` rejects with `not_found`, more than `maxBytes` of content with `plan`.
 */
export interface CopyOutRequest {
  readonly src: string;
  readonly maxBytes?: number;
}
