import type { Place, YamlScalar } from '../workflow/yaml-node.ts';

/** How far a character of the value may stand behind the last one in the source, white space not counted. */
const farthest = 64;

/**
 * Where the characters of a scalar's value stand in the document: exact for plain, quoted and literal scalars, and for
 * folded ones as well as long as only white space was folded.
 */
export function placesInScalar(node: YamlScalar): (offset: number) => Place {
  let offsets: Int32Array | undefined;
  let lineStarts: readonly number[] | undefined;
  return (offset) => {
    // Made when first asked for, and then once: a scalar may hold thousands of expressions.
    offsets ??= sourceOffsets(node);
    lineStarts ??= startsOfLines(node.source);
    const at = offsets[Math.min(offset, offsets.length - 1)] ?? 0;
    const line = lineOf(lineStarts, at);
    if (line === 0) return { ...node.at, column: node.at.column + at };
    return { file: node.at.file, line: node.at.line + line, column: at - (lineStarts[line] ?? 0) + 1 };
  };
}

function startsOfLines(source: string): readonly number[] {
  return [0, ...source.matchAll(/\n/g).map(({ index }) => index + 1)];
}

/** The last line that starts at the offset or before it. */
function lineOf(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return low;
}

/** Walks value and source side by side: what is in both in the same order is what the value was made of. */
function sourceOffsets({ value, source }: YamlScalar): Int32Array {
  const text = typeof value === 'string' ? value : '';
  const offsets = new Int32Array(text.length + 1);
  const style = source.charAt(0);
  let at = style === '|' || style === '>' ? source.indexOf('\n') + 1 : style === '"' || style === "'" ? 1 : 0;
  for (let index = 0; index < text.length; index += 1) {
    const char = text.charAt(index);
    const isSpace = /\s/.test(char);
    if (!isSpace) at = findChar(source, at, char, style);
    offsets[index] = Math.min(at, source.length);
    at += isSpace ? consumedByWhiteSpace(source, at, char, style) : consumed(source, at, style);
  }
  offsets[text.length] = Math.min(at, source.length);
  return offsets;
}

/** The next place in the source that stands for this character. */
function findChar(source: string, from: number, char: string, style: string): number {
  let at = from;
  while (at < source.length && /\s/.test(source.charAt(at))) at += 1;
  if (style === '"' && source.charAt(at) === '\\') return skipLineBreaks(source, at);
  const found = source.slice(at, at + farthest).indexOf(char);
  return found === -1 ? at : at + found;
}

/** A backslash before a line break in double quotes joins two lines and stands for nothing. */
function skipLineBreaks(source: string, from: number): number {
  const joined = /(?:\\\r?\n\s*)+/y;
  joined.lastIndex = from;
  return from + (joined.exec(source)?.[0].length ?? 0);
}

/** White space may stand there as it is, as an escape, or be made of a line break; that one is skipped later. */
function consumedByWhiteSpace(source: string, at: number, char: string, style: string): number {
  if (source.charAt(at) === char) return 1;
  const isEscape = style === '"' && source.charAt(at) === '\\' && !/[\r\n]/.test(source.charAt(at + 1));
  return isEscape ? consumed(source, at, style) : 0;
}

/** How many characters of the source stand for one of the value. */
function consumed(source: string, at: number, style: string): number {
  if (style === "'" && source.startsWith("''", at)) return 2;
  if (style !== '"' || source.charAt(at) !== '\\') return 1;
  const hex = { x: 4, u: 6, U: 10 }[source.charAt(at + 1)];
  return hex ?? 2;
}
