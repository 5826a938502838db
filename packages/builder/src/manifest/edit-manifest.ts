import { Document, isScalar, isSeq, parseDocument, type YAMLSeq } from 'yaml';
import { closest } from '../closest.ts';
import { quoted, UserError } from '../user-error.ts';
import { defaultBackends, fullName } from './layer.ts';
import type { WrittenManifest } from './manifest-schema.ts';
import { parsePackageSpec } from './package-spec.ts';

const heading = ` What this runner is made of, for forgejo-runner-build. All keys: docs/reference/manifest.md
 yaml-language-server: $schema=./node_modules/@forgejo-runner/builder/manifest.schema.json`;

/** The text of a new manifest. */
export function newManifest(written: WrittenManifest): string {
  const document = new Document(Object.keys(written).length === 0 ? { with: [] } : written);
  document.commentBefore = heading;
  return document.toString({ lineWidth: 0 });
}

/**
 * The text of a manifest with more packages in it. One that is there already gets the version that is asked for now.
 * Comments and the order stay. @throws UserError `FRB201`
 */
export function addToManifest(text: string, specs: readonly string[], dir: string): string {
  const document = parseDocument(text);
  for (const spec of specs) {
    if (Object.hasOwn(defaultBackends, spec)) {
      removeItem(list(document, 'without'), (item) => fullName(item) === fullName(spec));
      continue;
    }
    const { name } = parsePackageSpec(spec, dir);
    const items = list(document, 'with');
    const index = items.items.findIndex(
      (item) => textOf(item) === spec || (name !== undefined && nameOf(textOf(item), dir) === name),
    );
    if (index === -1) items.add(document.createNode(spec));
    else items.set(index, spec);
  }
  return written(document);
}

/**
 * The text of a manifest without some packages; a default backend is left out by name. @throws UserError `FRB207` for one
 * that is not in it.
 */
export function removeFromManifest(text: string, names: readonly string[], dir: string): string {
  const document = parseDocument(text);
  for (const name of names) {
    const items = list(document, 'with');
    const isRemoved = removeItem(items, (item) => item === name || nameOf(item, dir) === name);
    const isDefault = Object.values(defaultBackends).includes(fullName(name));
    if (!isRemoved && !isDefault) throw notThere(name, items, dir);
    if (isDefault) list(document, 'without').add(document.createNode(name));
  }
  return written(document);
}

function notThere(name: string, items: YAMLSeq, dir: string): UserError {
  const known = items.items.map((item) => nameOf(textOf(item), dir) ?? textOf(item));
  const near = closest(name, known)[0];
  const hint = near === undefined ? {} : { next: `did you mean ${near}?` };
  return new UserError(
    'FRB207',
    `${quoted(name)} is not in the manifest; it has ${known.join(', ') || 'no package'}`,
    hint,
  );
}

/** The list behind a key, made when there is none. */
function list(document: Document, key: 'with' | 'without'): YAMLSeq {
  const present: unknown = document.get(key);
  if (isSeq(present)) {
    // An empty list is written as [], and would stay in one line.
    present.flow = false;
    return present;
  }
  const made = document.createNode([]);
  document.set(key, made);
  return made;
}

function removeItem(items: YAMLSeq, isMeant: (item: string) => boolean): boolean {
  const before = items.items.length;
  items.items = items.items.filter((item) => !isMeant(textOf(item)));
  return items.items.length < before;
}

function written(document: Document): string {
  for (const key of ['with', 'without'] as const) {
    const items: unknown = document.get(key);
    if (isSeq(items) && items.items.length === 0) document.delete(key);
  }
  return document.toString({ lineWidth: 0 });
}

function textOf(item: unknown): string {
  return String(isScalar(item) ? item.value : item);
}

function nameOf(spec: string, dir: string): string | undefined {
  try {
    return parsePackageSpec(spec, dir).name;
  } catch {
    // A line that is wrong in itself can still be taken out by its own words.
    return undefined;
  }
}
