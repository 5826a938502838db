/**
 * Reads a `.dockerignore`: tells by their path with `/` which files stay out of a build. The last pattern that matches
 * decides; one that matches a folder matches all in it.
 *
 * Source: Docker's reference, "Build context", ".dockerignore files".
 */
export function readDockerIgnore(text: string): (path: string) => boolean {
  const rules = text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(readRule);
  return (path) => {
    let isIgnored = false;
    for (const { pattern, isException } of rules) if (pattern.test(path)) isIgnored = !isException;
    return isIgnored;
  };
}

function readRule(line: string): { readonly pattern: RegExp; readonly isException: boolean } {
  const isException = line.startsWith('!');
  const parts: string[] = [];
  for (const part of (isException ? line.slice(1).trim() : line).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return { pattern: new RegExp(`^${patternOf(parts)}(?:/|$)`, 's'), isException };
}

function patternOf(parts: readonly string[]): string {
  // A pattern of nothing but the root matches nothing: the root cannot be left out.
  if (parts.length === 0) return '(?!)';
  let source = '';
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    if (part === '**') source += isLast ? '.*' : '(?:.*/)?';
    else source += partOf(part) + (isLast ? '' : '/');
  }
  return source;
}

/** Go's `filepath.Match` for one part of a path. */
function partOf(part: string): string {
  let source = '';
  for (let at = 0; at < part.length; at += 1) {
    const char = part[at] ?? '';
    const set = char === '[' ? /^\[(\^?)((?:\\.|[^\]\\])+)\]/s.exec(part.slice(at)) : null;
    if (set !== null) {
      source += `[${set[1] ?? ''}${(set[2] ?? '').replaceAll(/[[\]]/g, '\\$&')}]`;
      at += set[0].length - 1;
    } else if (char === '*') {
      // Two stars in a row within a part mean no more than one, and would make the expression slow.
      if (part[at - 1] !== '*') source += '[^/]*';
    } else if (char === '?') source += '[^/]';
    else {
      if (char === '\\') at += 1;
      source += escaped(char === '\\' ? (part[at] ?? '\\') : char);
    }
  }
  return source;
}

function escaped(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&');
}
