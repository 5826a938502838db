/**
 * A pattern over paths with `/`: `*`, `?` and `[a-z]` within a name, `**` for any number of folders. Ours because the
 * libraries make regular expressions of patterns, and `*a*a*a*a*b` takes those minutes; this one never goes back
 * further than the last star.
 */
export type Glob = readonly string[];

/** Reads a pattern. A `.` in it, doubled slashes and one at the end do not count. */
export function parseGlob(pattern: string): Glob {
  return pattern.split('/').filter((name) => name !== '' && name !== '.');
}

/** Whether a path, or a folder above it, matches: a pattern for a folder takes all that is in it. */
export function matchesGlob(glob: Glob, path: string): boolean {
  return matchesAll([...glob, '**'], path.split('/'), (name, part) => matchesName(name, part), '**');
}

/** The walk with one mark that stands for any number of items: where it goes wrong, the last mark takes one more. */
function matchesAll(
  pattern: readonly string[],
  items: readonly string[],
  matches: (wanted: string, item: string) => boolean,
  anyNumber: string,
): boolean {
  let at = 0;
  let mark = -1;
  let markedItem = 0;
  for (let item = 0; item < items.length; ) {
    const wanted = pattern[at];
    if (wanted === anyNumber) {
      mark = at;
      markedItem = item;
      at += 1;
    } else if (wanted !== undefined && matches(wanted, items[item] ?? '')) {
      at += 1;
      item += 1;
    } else if (mark >= 0) {
      markedItem += 1;
      item = markedItem;
      at = mark + 1;
    } else return false;
  }
  return pattern.slice(at).every((rest) => rest === anyNumber);
}

function matchesName(pattern: string, name: string): boolean {
  return matchesAll(
    splitName(pattern),
    [...name.matchAll(/./gsu)].map(([char]) => char),
    matchesChar,
    '*',
  );
}

/** The parts of a name: characters, `?`, `*` and classes in brackets; a backslash takes the next one as it is. */
function splitName(pattern: string): readonly string[] {
  const parts: string[] = [];
  for (const [part] of pattern.matchAll(/\\.|\[[!^]?\]?[^\]]*\]|\*+|./gsu))
    parts.push(part.startsWith('*') ? '*' : part);
  return parts;
}

function matchesChar(wanted: string, char: string): boolean {
  if (wanted === '?') return true;
  if (wanted.length > 1 && wanted.startsWith('\\')) return wanted.slice(1) === char;
  if (wanted.length < 3 || !wanted.startsWith('[')) return wanted === char;
  const isNegated = wanted[1] === '!' || wanted[1] === '^';
  return isInClass(wanted.slice(isNegated ? 2 : 1, -1), char) !== isNegated;
}

function isInClass(members: string, char: string): boolean {
  for (const [member, from, to] of members.matchAll(/(.)-(.)|./gsu)) {
    if (from === undefined || to === undefined ? member === char : from <= char && char <= to) return true;
  }
  return false;
}
