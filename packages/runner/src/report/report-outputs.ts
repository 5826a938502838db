/** Limits of the server: it drops larger outputs without a word. */
const maxKeyBytes = 255;
const maxValueBytes = 1024 * 1024;
/** More is not kept, over all outputs of a job: GitHub's limit. */
const maxTotalBytes = 50 * 1024 * 1024;

/** Outputs that the server will take, and a sentence for the author for each that it would not. */
export function acceptedOutputs(outputs: ReadonlyMap<string, string>): {
  readonly accepted: [string, string][];
  readonly warnings: readonly string[];
} {
  const accepted: [string, string][] = [];
  const warnings: string[] = [];
  let total = 0;
  for (const [name, value] of outputs) {
    const keyBytes = Buffer.byteLength(name);
    const valueBytes = Buffer.byteLength(value);
    const fits = keyBytes <= maxKeyBytes && valueBytes <= maxValueBytes;
    if (fits && total + keyBytes + valueBytes <= maxTotalBytes) {
      accepted.push([name, value]);
      total += keyBytes + valueBytes;
      continue;
    }
    warnings.push(refusal(name, { keyBytes, valueBytes }));
  }
  return { accepted, warnings };
}

function refusal(name: string, { keyBytes, valueBytes }: { keyBytes: number; valueBytes: number }): string {
  const shown = JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);
  if (keyBytes > maxKeyBytes) return `Output ${shown} is left out: its name has more than ${maxKeyBytes} bytes`;
  if (valueBytes > maxValueBytes) return `Output ${shown} is left out: it has more than ${maxValueBytes} bytes`;
  return `Output ${shown} is left out: all outputs together have more than ${maxTotalBytes} bytes`;
}

/** The next outputs for one request: those that the server does not have, up to the size of one large value. */
export function nextOutputs(
  outputs: readonly (readonly [string, string])[],
  sent: ReadonlySet<string>,
): ReadonlyMap<string, string> {
  const next = new Map<string, string>();
  let characters = 0;
  for (const [name, value] of outputs) {
    if (sent.has(name)) continue;
    characters += name.length + value.length;
    if (next.size > 0 && characters > maxValueBytes / 2) break;
    next.set(name, value);
  }
  return next;
}
