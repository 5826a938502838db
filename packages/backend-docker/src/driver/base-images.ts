/**
 * The images that a Dockerfile begins with, as far as they are known without running it: those of its `FROM` lines, with
 * the arguments before the first of them. What is left of a variable that nobody sets is left out.
 */
export function baseImages(dockerfile: string, buildArgs: Readonly<Record<string, string>>): readonly string[] {
  const values = new Map<string, string>();
  const stages = new Set<string>();
  const images = new Set<string>();
  for (const line of instructions(dockerfile)) {
    const arg = /^ARG\s+([A-Za-z_]\w*)(?:=(.*))?$/i.exec(line);
    if (arg?.[1] !== undefined && images.size === 0) values.set(arg[1], buildArgs[arg[1]] ?? unquoted(arg[2] ?? ''));
    const from = /^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$/i.exec(line);
    if (from?.[1] === undefined) continue;
    const image = expand(unquoted(from[1]), values);
    if (image !== '' && image !== 'scratch' && !stages.has(image.toLowerCase()) && !image.includes('$'))
      images.add(image);
    if (from[2] !== undefined) stages.add(from[2].toLowerCase());
  }
  return [...images];
}

/** Lines without comments, with those that a backslash continues as one. */
function instructions(dockerfile: string): readonly string[] {
  const lines = dockerfile.split(/\r?\n/).filter((line) => !/^\s*#/.test(line));
  return lines
    .join('\n')
    .replaceAll(/\\[ \t]*\n/g, ' ')
    .split('\n')
    .map((line) => line.trim());
}

function expand(text: string, values: ReadonlyMap<string, string>): string {
  return text.replaceAll(
    /\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))/g,
    (all, braced?: string, fallback?: string, bare?: string) => {
      const value = values.get(braced ?? bare ?? '') ?? '';
      return value === '' ? (fallback ?? all) : value;
    },
  );
}

function unquoted(text: string): string {
  const value = text.trim();
  return /^(?:"[^"]*"|'[^']*')$/.test(value) ? value.slice(1, -1) : value;
}
