import { closest, distance } from 'fastest-levenshtein';
import { type Problem, quoted } from '../user-error.ts';
import type { Notice } from './model.ts';
import type { YamlEntry, YamlMapping, YamlNode, YamlScalar } from './yaml-node.ts';

const problemsShown = 50;

/** What a reader found on its way, gathered so that an author sees all of it at once. */
export interface Findings {
  readonly problems: Problem[];
  readonly notices: Notice[];
  /** A runner gets jobs that the server has accepted, so it only remarks on keys that it does not know. */
  readonly unknownKeys: 'notice' | 'problem';
}

/** Nothing found yet. */
export function noFindings(unknownKeys: Findings['unknownKeys']): Findings {
  return { problems: [], notices: [], unknownKeys };
}

/** The keys that a mapping may have; with a text where a key is accepted and changes nothing. */
export type KnownKeys = ReadonlyMap<string, string | undefined>;

/** A table of keys: those that are read, and those that change nothing, each with the reason. */
export function knownKeys(read: readonly string[], idle: Readonly<Record<string, string>> = {}): KnownKeys {
  return new Map<string, string | undefined>([
    ...read.map((key) => [key, undefined] as const),
    ...Object.entries(idle),
  ]);
}

/** The entries of a mapping by key. Keys that are unknown or change nothing become findings. */
export function readFields(mapping: YamlMapping, known: KnownKeys, findings: Findings): ReadonlyMap<string, YamlEntry> {
  const fields = new Map<string, YamlEntry>();
  for (const entry of mapping.entries) {
    const idle = known.get(entry.key);
    if (!known.has(entry.key)) reportUnknownKey(entry, known, findings);
    else if (idle !== undefined) findings.notices.push({ message: `${quoted(entry.key)} ${idle}`, at: entry.keyAt });
    else fields.set(entry.key, entry);
  }
  return fields;
}

function reportUnknownKey(entry: YamlEntry, known: KnownKeys, findings: Findings): void {
  const hint = didYouMean(entry.key, [...known.keys()]);
  if (findings.unknownKeys === 'problem') {
    findings.problems.push({ message: `expected a known key, found ${quoted(entry.key)}${hint}`, at: entry.keyAt });
  } else if (!entry.key.startsWith('incomplete_')) {
    // What begins so is added by Forgejo's server for itself.
    const message = `${quoted(entry.key)} is not known to this runner and changes nothing${hint}`;
    findings.notices.push({ message, at: entry.keyAt });
  }
}

/** `; did you mean "run"?` where one of the words is near, or nothing. */
export function didYouMean(found: string, words: readonly string[]): string {
  // Each word costs time: a file with thousands of names gets no suggestions.
  if (found.length > 60 || words.length === 0 || words.length > 200) return '';
  const lower = found.toLowerCase();
  const candidates = words.map((word) => word.toLowerCase());
  // Two letters that changed places count as two edits, which is much in a short word.
  const shuffled = candidates.findIndex((word) => sortedLetters(word) === sortedLetters(lower));
  if (shuffled !== -1) return `; did you mean ${quoted(words[shuffled] ?? '')}?`;
  const near = closest(lower, candidates);
  const allowed = found.length < 3 ? 0 : Math.max(1, Math.floor(found.length / 3));
  if (distance(lower, near) > allowed) return '';
  return `; did you mean ${quoted(words[candidates.indexOf(near)] ?? '')}?`;
}

function sortedLetters(word: string): string {
  return word.split('').toSorted().join('');
}

/** At most 50 problems, and how many more there are: one mistake can make all that follows wrong. */
export function shownProblems(problems: readonly Problem[]): readonly Problem[] {
  if (problems.length <= problemsShown) return problems;
  const rest = problems.length - problemsShown;
  return [...problems.slice(0, problemsShown), { message: `and ${rest} more` }];
}

/** What a node is, for "found …". */
export function describeNode(node: YamlNode): string {
  if (node.kind === 'mapping') return 'a mapping';
  if (node.kind === 'sequence') return 'a list';
  if (node.value === null) return 'nothing';
  return typeof node.value === 'string' ? quoted(node.value) : quoted(node.source);
}

/** Notes that something else was expected here. */
export function reportWrongShape(findings: Findings, node: YamlNode, expected: string): undefined {
  findings.problems.push({ message: `expected ${expected}, found ${describeNode(node)}`, at: node.at });
  return undefined;
}

/** Whether nothing stands after the key. */
export function isNothing(node: YamlNode): boolean {
  return node.kind === 'scalar' && node.value === null;
}

/** Whether a scalar has an expression in it. */
export function hasExpression(node: YamlNode): boolean {
  return node.kind === 'scalar' && typeof node.value === 'string' && node.value.includes('${{');
}

/** A mapping, or undefined where there is none; a wrong shape is a finding. */
export function readMapping(entry: YamlEntry | undefined, findings: Findings): YamlMapping | undefined {
  if (entry === undefined || isNothing(entry.value)) return undefined;
  if (entry.value.kind === 'mapping') return entry.value;
  return reportWrongShape(findings, entry.value, `a mapping for ${quoted(entry.key)}`);
}

/** The items of a list, or of the one scalar that may stand for it. */
export function readList(entry: YamlEntry | undefined, findings: Findings): readonly YamlNode[] {
  if (entry === undefined || isNothing(entry.value)) return [];
  if (entry.value.kind === 'sequence') return entry.value.items;
  reportWrongShape(findings, entry.value, `a list for ${quoted(entry.key)}`);
  return [];
}

/** A scalar, or undefined where there is none. */
export function readScalar(entry: YamlEntry | undefined, findings: Findings): YamlScalar | undefined {
  if (entry === undefined || isNothing(entry.value)) return undefined;
  if (entry.value.kind === 'scalar') return entry.value;
  return reportWrongShape(findings, entry.value, `a text for ${quoted(entry.key)}`);
}

/** A scalar as text, or undefined where there is none. */
export function readText(entry: YamlEntry | undefined, findings: Findings): string | undefined {
  const scalar = readScalar(entry, findings);
  return scalar === undefined ? undefined : scalarText(scalar);
}

/** The text of a scalar that is not evaluated: a version `1.10` stays as it was written. */
export function scalarText(scalar: YamlScalar): string {
  return typeof scalar.value === 'string' ? scalar.value : scalar.source;
}

/** A number or an expression that gives one. Texts that look like numbers are numbers, as the server takes them. */
export function readNumber(entry: YamlEntry | undefined, findings: Findings): YamlScalar | undefined {
  const scalar = readScalar(entry, findings);
  if (scalar === undefined || hasExpression(scalar)) return scalar;
  const isNumber = typeof scalar.value !== 'boolean' && Number.isFinite(Number(String(scalar.value).trim() || NaN));
  return isNumber
    ? scalar
    : reportWrongShape(findings, scalar, `a number or an expression for ${quoted(entry?.key ?? '')}`);
}

/** A boolean or an expression that gives one. */
export function readBoolean(entry: YamlEntry | undefined, findings: Findings): YamlScalar | undefined {
  const scalar = readScalar(entry, findings);
  if (scalar === undefined || hasExpression(scalar)) return scalar;
  const isBoolean = /^(true|false)$/i.test(String(scalar.value));
  return isBoolean
    ? scalar
    : reportWrongShape(findings, scalar, `true, false or an expression for ${quoted(entry?.key ?? '')}`);
}

/** A mapping of scalars, or one expression that gives an object, as `env` and `with` take it. */
export function readScalarMap(entry: YamlEntry | undefined, findings: Findings): YamlNode | undefined {
  if (entry === undefined || isNothing(entry.value)) return undefined;
  if (hasExpression(entry.value)) return entry.value;
  const mapping = readMapping(entry, findings);
  for (const { value, key } of mapping?.entries ?? []) {
    if (value.kind !== 'scalar' && !key.includes('${{')) reportWrongShape(findings, value, `a text for ${quoted(key)}`);
  }
  return mapping;
}

/** The fields that are there: for building a value whose optional members must lack instead of being undefined. */
export function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  // Only members that are not undefined were kept, which is what the type says.
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
