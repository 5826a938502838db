/**
 * Splits a command line into words as a shell does, and carries nothing of it out: `$`, `*`, `;` and `#` are text.
 * Undefined where a quote is not closed or a backslash ends the text.
 *
 * Source: POSIX, Shell Command Language, 2.2 Quoting.
 */
export function splitWords(text: string): readonly string[] | undefined {
  const words: string[] = [];
  // Spaces; then what is quoted or bare, up to the next change between those.
  const part = /\s+|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|([^\s'"\\]+)/y;
  let word: string | undefined;
  for (part.lastIndex = 0; part.lastIndex < text.length; ) {
    const found = part.exec(text);
    if (found === null) return undefined;
    const [whole, single, double, escaped, bare] = found;
    const piece = single ?? (double === undefined ? undefined : unescape(double)) ?? escaped ?? bare;
    if (piece === undefined) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (whole !== '\\\n') word = (word ?? '') + piece;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** In double quotes a backslash is one unless it stands before one of these. */
function unescape(text: string): string {
  return text.replaceAll(/\\([$`"\\\n])/g, (_, character: string) => (character === '\n' ? '' : character));
}
