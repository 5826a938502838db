import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseAllDocuments,
  Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { type Problem, quoted, UserError } from '../user-error.ts';
import { shownProblems } from './read-shape.ts';
import type { Place, YamlEntry, YamlMapping, YamlNode, YamlScalar, YamlSequence } from './yaml-node.ts';

/** The largest document in characters. Forgejo refuses workflows over 1 MiB as well. */
export const yamlLimitChars: number = 1024 * 1024;
/** How deep lists and mappings may nest. */
export const yamlLimitDepth = 100;
/** How many values a document may have once every alias is expanded: this is what stops an alias bomb. */
export const yamlLimitNodes = 100_000;

/**
 * Reads one YAML 1.2 document (core schema) to values with their places. Merge keys are resolved and aliases expanded;
 * keys are strings as written, so `on`, `yes` and `1` stay what they look like.
 *
 * @throws {UserError} `FRR301` with the place of all that is wrong; `FRR303` for a document beyond the limits.
 */
export function parseYaml(text: string, file: string): YamlNode {
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const start = { file, line: 1, column: 1 };
  if (source.length > yamlLimitChars) {
    throw tooLarge(`expected at most ${yamlLimitChars} characters, found ${source.length}`, start);
  }
  const lines = new LineCounter();
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const document = readDocument(source, lines, place);
  if (document?.contents == null) return { kind: 'scalar', value: null, source: '', at: start };
  return new TreeReader(source, place).read(document.contents);
}

/** The only document of the text, or undefined where there is none. */
function readDocument(
  source: string,
  lines: LineCounter,
  place: (offset: number) => Place,
): Document.Parsed | undefined {
  // Duplicate keys are found by us: the library compares each key with all before it, which is quadratic.
  const parsed = parseAllDocuments(source, {
    lineCounter: lines,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const documents: readonly Document.Parsed[] = Array.isArray(parsed) ? parsed : [];
  const errors = documents.flatMap((document) => document.errors);
  const nested = errors.find((error) => error.code === 'RESOURCE_EXHAUSTION');
  if (nested !== undefined) throw tooLarge('expected less nesting, found too much to read', place(nested.pos[0]));
  const problems = errors.map(({ message, pos }) => ({ message: foreignSentence(message), at: place(pos[0]) }));
  const second = documents[1];
  if (second !== undefined) {
    problems.push({ message: 'expected one document, found a second', at: place(second.range[0]) });
  }
  throwProblems(problems);
  return documents[0];
}

/** The library's sentence in our form: no capital, no full stop. */
function foreignSentence(message: string): string {
  const line = message.replace(/\s+/g, ' ').replace(/[.:]$/, '');
  return line.charAt(0).toLowerCase() + line.slice(1);
}

function throwProblems(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new UserError('FRR301', { problems: shownProblems(problems) });
}

function tooLarge(message: string, at: Place): UserError {
  return new UserError('FRR303', { problems: [{ message, at }] });
}

/** Turns the library's nodes into ours. Holds what has to be known across the whole document. */
class TreeReader {
  readonly #source: string;
  readonly #place: (offset: number) => Place;
  readonly #problems: Problem[] = [];
  /** `undefined` while the node that carries the anchor is being read. */
  readonly #anchors = new Map<string, YamlNode | undefined>();
  /** How many values a node has with its aliases expanded. Nodes are shared, so this is counted once for each. */
  readonly #sizes = new Map<YamlNode, number>();

  constructor(source: string, place: (offset: number) => Place) {
    this.#source = source;
    this.#place = place;
  }

  read(contents: ParsedNode): YamlNode {
    const node = this.#node(contents, 0);
    throwProblems(this.#problems);
    return node;
  }

  #node(node: unknown, depth: number, at?: Place): YamlNode {
    if (isAlias(node)) return this.#alias(node.source, this.#at(node));
    const anchor = isMap(node) || isSeq(node) || isScalar(node) ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, undefined);
    const read = this.#plainNode(node, depth, at);
    if (anchor !== undefined) this.#anchors.set(anchor, read);
    return read;
  }

  #plainNode(node: unknown, depth: number, at?: Place): YamlNode {
    if (depth > yamlLimitDepth) {
      throw tooLarge(`expected at most ${yamlLimitDepth} levels of nesting, found more`, this.#at(node, at));
    }
    if (isMap(node)) return this.#mapping(node, depth);
    if (isSeq(node)) return this.#sequence(node, depth);
    return this.#scalar(node, at);
  }

  #alias(name: string, at: Place): YamlNode {
    const nothing: YamlScalar = { kind: 'scalar', value: null, source: '', at };
    const known = this.#anchors.has(name);
    const target = this.#anchors.get(name);
    if (target !== undefined) return target;
    const message = known
      ? `expected a finished value, found the alias ${quoted(`*${name}`)} inside of what it stands for`
      : `expected the name of an anchor before this place, found ${quoted(`*${name}`)}`;
    this.#problems.push({ message, at });
    return nothing;
  }

  #scalar(node: unknown, at?: Place): YamlScalar {
    if (!isScalar(node)) {
      return { kind: 'scalar', value: null, source: '', at: at ?? { ...this.#place(0) } };
    }
    const [from, to] = node.range ?? [0, 0];
    return {
      kind: 'scalar',
      value: plainValue(node.value),
      source: this.#source.slice(from, to),
      at: this.#place(from),
    };
  }

  #sequence(node: YAMLSeq, depth: number): YamlSequence {
    const at = this.#at(node);
    const items: YamlNode[] = [];
    const result: YamlSequence = { kind: 'sequence', items, at };
    this.#grow(result, 1, at);
    for (const item of node.items) {
      const child = this.#node(item, depth + 1, at);
      items.push(child);
      this.#grow(result, this.#size(child), child.at);
    }
    return result;
  }

  #mapping(node: YAMLMap, depth: number): YamlMapping {
    const at = this.#at(node);
    const entries = new Map<string, YamlEntry>();
    const merged: YamlMapping[] = [];
    for (const { key, value } of node.items) {
      const keyAt = this.#at(key, at);
      const child = this.#node(value, depth + 1, keyAt);
      if (isMergeKey(key)) merged.push(...this.#merges(child));
      else this.#addEntry(entries, { key: this.#key(key, keyAt), keyAt, value: child });
    }
    // A key that stands in the mapping wins over merged ones, and an earlier merged mapping over a later one.
    for (const mapping of merged) {
      for (const entry of mapping.entries) if (!entries.has(entry.key)) entries.set(entry.key, entry);
    }
    const result: YamlMapping = { kind: 'mapping', entries: [...entries.values()], at };
    this.#grow(result, 1, at);
    for (const entry of result.entries) this.#grow(result, this.#size(entry.value), entry.keyAt);
    return result;
  }

  #addEntry(entries: Map<string, YamlEntry>, entry: YamlEntry): void {
    const first = entries.get(entry.key);
    if (first === undefined) entries.set(entry.key, entry);
    else {
      const message = `expected each key once, found ${quoted(entry.key)} again; it stands in line ${first.keyAt.line} already`;
      this.#problems.push({ message, at: entry.keyAt });
    }
  }

  #key(key: unknown, at: Place): string {
    const scalar = isAlias(key) ? this.#alias(key.source, at) : this.#node(key, 0, at);
    if (scalar.kind !== 'scalar') {
      this.#problems.push({ message: `expected a text as a key, found a ${scalar.kind}`, at });
      return '';
    }
    return typeof scalar.value === 'string' ? scalar.value : scalar.source;
  }

  /** What `<<` may name: a mapping, or a list of mappings. */
  #merges(node: YamlNode): readonly YamlMapping[] {
    if (node.kind === 'mapping') return [node];
    const list = node.kind === 'sequence' ? node.items : [];
    const mappings = list.filter((item) => item.kind === 'mapping');
    if (node.kind === 'scalar' || mappings.length < list.length) {
      this.#problems.push({ message: 'expected a mapping or a list of mappings after "<<"', at: node.at });
    }
    return mappings;
  }

  #at(node: unknown, fallback?: Place): Place {
    const range = isMap(node) || isSeq(node) || isScalar(node) || isAlias(node) ? node.range : undefined;
    return range == null ? (fallback ?? this.#place(0)) : this.#place(range[0]);
  }

  #size(node: YamlNode): number {
    return this.#sizes.get(node) ?? 1;
  }

  #grow(node: YamlNode, by: number, at: Place): void {
    const size = (this.#sizes.get(node) ?? 0) + by;
    if (size > yamlLimitNodes) {
      throw tooLarge(`expected at most ${yamlLimitNodes} values with all aliases expanded, found more`, at);
    }
    this.#sizes.set(node, size);
  }
}

function plainValue(value: unknown): YamlScalar['value'] {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  return value == null ? null : JSON.stringify(value);
}

function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.value === '<<' && key.type === Scalar.PLAIN;
}
