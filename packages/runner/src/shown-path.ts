import { relative } from 'node:path';

/** A file as people find it from where they are: the shorter of the ways from there and from the root. */
export function shownPath(file: string, cwd: string): string {
  const path = relative(cwd, file) || '.';
  return path.length <= file.length ? path : file;
}
