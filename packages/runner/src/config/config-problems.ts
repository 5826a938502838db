import type { SchemaIssue } from '@forgejo-runner/core';
import { distance } from 'fastest-levenshtein';
import type * as z from 'zod';
import { type Problem, quoted } from '../user-error.ts';
import type { YamlNode } from '../workflow/yaml-node.ts';
import { type ConfigPath, nodeAt, placeOf, placeOfKey } from './config-place.ts';
import { keysOf, partOf, settingOf } from './plain-value.ts';

/** What our own schema found wrong with a file, each with its place. */
export function configProblems(
  issues: readonly z.core.$ZodIssue[],
  root: YamlNode,
  schema: z.core.$ZodType,
): readonly Problem[] {
  return issues.flatMap((issue) => {
    const own = schemaAt(schema, issue.path);
    if (issue.code === 'unrecognized_keys') return unknownKeys(root, issue.path, issue.keys, keysOf(own));
    const setting = own === undefined ? undefined : settingOf(own);
    const name = issue.path.map(String).join('.');
    // Between keys that belong together.
    if (setting === undefined && issue.code === 'custom') return problem(root, issue.path, `${name}: ${issue.message}`);
    const expected = setting?.expected ?? (issue.path.length === 0 ? 'a mapping of settings' : 'a mapping');
    const node = nodeAt(root, issue.path);
    const hint =
      setting?.choices === undefined || node?.kind !== 'scalar' ? '' : didYouMean(node.source, setting.choices);
    const found = describeNode(node, setting?.isSecret === true);
    return problem(root, issue.path, `${name === '' ? '' : `${name}: `}expected ${expected}, found ${found}${hint}`);
  });
}

function schemaAt(schema: z.core.$ZodType, path: ConfigPath): z.core.$ZodType | undefined {
  let part: z.core.$ZodType | undefined = schema;
  for (const key of path) part = partOf(part, key);
  return part;
}

/** What a foreign schema validated, where it stands, and which options are possible there. */
export interface Validated {
  /** What the messages begin with, such as `backend.k8s`. */
  readonly subject: string;
  readonly root: YamlNode | undefined;
  readonly base: ConfigPath;
  /** Options at the top, where the author of the schema says so. */
  readonly options: readonly string[] | undefined;
}

/** What a backend's schema found wrong. Its messages are its own; unknown options are said in our words. */
export function foreignProblems(
  issues: readonly SchemaIssue[],
  { subject, root, base, options }: Validated,
): readonly Problem[] {
  return issues.flatMap((issue) => {
    const inner = (issue.path ?? []).map((part) => (typeof part === 'object' ? part.key : part));
    const name = inner.map(String).join('.');
    const unknown = unknownKeysIn(issue);
    if (unknown === undefined) {
      const which = name === '' ? '' : `option ${quoted(name)}: `;
      return problem(root, [...base, ...inner], `${subject}: ${which}${issue.message}`);
    }
    return unknown.flatMap((key) => {
      const hint = inner.length > 0 || options === undefined ? '' : hintOf(key, options);
      const message = `${subject}: unknown option ${quoted(key)}${name === '' ? '' : ` in ${name}`}${hint}`;
      const at = placeOfKey(root, [...base, ...inner, key]);
      return [at === undefined ? { message } : { message, at }];
    });
  });
}

function hintOf(key: string, options: readonly string[]): string {
  return options.length === 0 ? '; expected no options, leave it out' : didYouMean(key, options);
}

/** zod says in members of its own which keys it does not know, as valibot and others do in theirs. */
function unknownKeysIn(
  issue: SchemaIssue & { readonly code?: unknown; readonly keys?: unknown },
): string[] | undefined {
  return issue.code === 'unrecognized_keys' && Array.isArray(issue.keys) ? issue.keys.map(String) : undefined;
}

function unknownKeys(
  root: YamlNode | undefined,
  path: ConfigPath,
  keys: readonly string[],
  known: readonly string[] | undefined,
): readonly Problem[] {
  return keys.flatMap((key) => {
    const at = placeOfKey(root, [...path, key]);
    const where = path.length === 0 ? '' : ` in ${path.map(String).join('.')}`;
    const message = `unknown key ${quoted(key)}${where}${didYouMean(key, known ?? [])}`;
    return [at === undefined ? { message } : { message, at }];
  });
}

function problem(root: YamlNode | undefined, path: ConfigPath, message: string): readonly Problem[] {
  const at = placeOf(root, path);
  return [at === undefined ? { message } : { message, at }];
}

/** `; did you mean "x"`, where one of the words is near. */
export function didYouMean(word: string, words: readonly string[]): string {
  const short = word.slice(0, 64).toLowerCase();
  const near = words
    .map((candidate) => ({ candidate, away: typingErrors(short, candidate.toLowerCase()) }))
    .filter(({ candidate, away }) => away <= Math.max(1, Math.floor(Math.max(short.length, candidate.length) / 3)))
    .toSorted((a, b) => a.away - b.away)[0];
  return near === undefined ? '' : `; did you mean ${quoted(near.candidate)}`;
}

/** Two neighbours that changed places are one slip of the fingers, and the most frequent one; the distance counts two. */
function typingErrors(word: string, meant: string): number {
  if (word === meant) return 0;
  for (let at = 0; at < meant.length - 1; at += 1) {
    if (word === `${meant.slice(0, at)}${meant[at + 1]}${meant[at]}${meant.slice(at + 2)}`) return 1;
  }
  return distance(word, meant);
}

/** A value as a message may show it. */
export function describeNode(node: YamlNode | undefined, isSecret: boolean): string {
  if (node === undefined) return 'nothing';
  if (node.kind === 'mapping') return 'a mapping';
  if (node.kind === 'sequence') return 'a list';
  if (node.value === null) return 'nothing';
  if (isSecret) return 'something else';
  return typeof node.value === 'string' ? quoted(node.value) : node.source;
}
