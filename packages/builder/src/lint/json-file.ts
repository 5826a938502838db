import { LineCounter, parseDocument } from 'yaml';

/** The way to a value: keys and indexes from the top. */
export type JsonPath = readonly (string | number)[];

/** Line and column of what a path leads to, or of the nearest of its parents that is there, as `file:line:column`. */
export function placeInJson(text: string, file: string, at: JsonPath): string {
  const lines = new LineCounter();
  // JSON is YAML; this parser knows where things stand.
  const document = parseDocument(text, { lineCounter: lines, keepSourceTokens: true });
  for (let length = at.length; length > 0; length -= 1) {
    const node: unknown = document.getIn(at.slice(0, length), true);
    const range = (node as { range?: readonly number[] } | undefined)?.range;
    if (range?.[0] === undefined) continue;
    const { line, col } = lines.linePos(range[0]);
    return `${file}:${line}:${col}`;
  }
  return file;
}

/** The text of a changed value, indented as the text was before and ended as it was. */
export function jsonLike(text: string, value: unknown): string {
  const indent = /^[{[]\r?\n([ \t]+)/.exec(text)?.[1] ?? 2;
  const end = /\r?\n$/.exec(text)?.[0] ?? '';
  return `${JSON.stringify(value, undefined, indent)}${end}`;
}
