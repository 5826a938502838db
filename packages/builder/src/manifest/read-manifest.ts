import { isMap, isScalar, LineCounter, type ParsedNode, parseDocument } from 'yaml';
import type { z } from 'zod';
import { closest } from '../closest.ts';
import { quoted, throwAll, UserError } from '../user-error.ts';
import { distributionKeys } from './distribution.ts';
import { manifestKeys, manifestSchema, type WrittenManifest } from './manifest-schema.ts';

/** Keys and list positions from the root of a document. */
type Path = readonly PropertyKey[];

/** A manifest as it is written, and where each part of it stands. */
export interface ReadManifest {
  readonly written: WrittenManifest;
  /** `file:line:column` of a value, or of what is around it. */
  readonly placeOf: (path: Path) => string;
}

/**
 * Reads the text of a manifest, which is YAML, so JSON as well.
 *
 * @throws UserError `FRB205`, or UserErrors with all that is wrong, each with its place.
 */
export function readManifest(text: string, file: string): ReadManifest {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  throwAll(
    document.errors.map((error) => new UserError('FRB205', firstLine(error.message), { where: at(error.pos[0]) })),
  );
  const root = document.contents;
  const placeOf = (path: Path): string => at(startOf(root, path));
  const value: unknown = plainValue(document, at) ?? {};
  const read = manifestSchema.safeParse(value);
  if (read.success) return { written: read.data, placeOf };
  throwAll(read.error.issues.flatMap((issue) => problems(issue, root, at)));
  throw read.error;
}

function plainValue(document: { readonly toJS: () => unknown }, at: (offset: number) => string): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    // Aliases that refer to nothing, or to more than anybody writes by hand.
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new UserError('FRB205', message, { where: at(0), cause });
  }
}

function problems(
  issue: z.core.$ZodIssue,
  root: ParsedNode | null,
  at: (offset: number) => string,
): readonly UserError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const near = closest(key, issue.path[0] === 'distribution' ? distributionKeys : manifestKeys)[0];
      const hint = near === undefined ? '' : `; did you mean ${quoted(near)}`;
      return new UserError('FRB205', `unknown key ${quoted(key)}${hint}`, {
        where: at(keyStartOf(root, issue.path, key)),
      });
    });
  }
  const name = issue.path.map(String).join('.');
  const subject = name === '' ? '' : `${name}: `;
  return [new UserError('FRB205', `${subject}${inWords(issue)}`, { where: at(startOf(root, issue.path)) })];
}

const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  boolean: 'true or false',
  array: 'a list',
  record: 'a mapping of names to texts',
  object: 'a mapping of settings',
};

function inWords(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_union') return 'expected a text or a list of texts, found something else';
  if (issue.code !== 'invalid_type') return issue.message;
  const found = /received (\w+)/.exec(issue.message)?.[1] ?? 'something else';
  return `expected ${kinds[issue.expected] ?? issue.expected}, found ${found === 'undefined' ? 'nothing' : found}`;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}

/** Where the value at a path begins; for one that is missing, what is around it. */
function startOf(root: ParsedNode | null, path: Path): number {
  let node: ParsedNode | null = root;
  for (const part of path) {
    const next: unknown = isScalar(node) || node === null || !('get' in node) ? undefined : node.get(part, true);
    if (next === undefined || next === null) break;
    // A document that was parsed has parsed nodes in it.
    node = next as ParsedNode;
  }
  return node?.range[0] ?? 0;
}

function keyStartOf(root: ParsedNode | null, path: Path, key: string): number {
  const offset = startOf(root, path);
  const map: unknown = path.length === 0 ? root : root !== null && 'getIn' in root ? root.getIn(path, true) : undefined;
  if (!isMap(map)) return offset;
  const pair = map.items.find((item) => String((item.key as { value?: unknown } | null)?.value) === key);
  return (pair?.key as { range?: readonly number[] } | null | undefined)?.range?.[0] ?? offset;
}
