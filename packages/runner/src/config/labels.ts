import { isBackendError, type LabelConfiguration, parseLabel } from '@forgejo-runner/core';
import { type Problem, quoted } from '../user-error.ts';
import type { YamlEntry, YamlMapping, YamlNode } from '../workflow/yaml-node.ts';
import { describeNode, didYouMean } from './config-problems.ts';
import { plainValue } from './plain-value.ts';

/** Labels that could be read, and what is wrong with the others. */
export interface ReadLabels {
  readonly labels: readonly LabelConfiguration[];
  readonly problems: readonly Problem[];
}

const backendName = /^[a-z][a-z0-9_-]{0,31}$/;
const mappingKeys = ['backend', 'backend-options'];

/** Reads `labels` in either form: a list of texts, or a mapping of names to backend and backend-options. */
export function readLabels(node: YamlNode | undefined, connection?: string): ReadLabels {
  const reader = new LabelReader(connection);
  if (node !== undefined) reader.read(node);
  return { labels: [...reader.labels.values()], problems: reader.problems };
}

class LabelReader {
  readonly labels = new Map<string, LabelConfiguration>();
  readonly problems: Problem[] = [];
  readonly #connection: string | undefined;

  constructor(connection: string | undefined) {
    this.#connection = connection;
  }

  read(node: YamlNode): void {
    if (node.kind === 'sequence') for (const item of node.items) this.#item(item);
    else if (node.kind === 'mapping') for (const entry of node.entries) this.#entry(entry);
    else if (node.value !== null) this.#wrong(node, 'expected a list or a mapping of labels');
  }

  #item(node: YamlNode): void {
    if (node.kind !== 'scalar' || node.value === null) return this.#wrong(node, 'expected a label as a text');
    const text = typeof node.value === 'string' ? node.value : node.source;
    try {
      this.#add({ ...parseLabel(text), where: node.at });
    } catch (error) {
      if (!isBackendError(error)) throw error;
      this.problems.push({ message: error.message, at: node.at });
    }
  }

  #entry({ key: name, keyAt, value }: YamlEntry): void {
    // `shell:` alone is a label of the default backend, as `shell` in the list is.
    const isEmpty = value.kind === 'scalar' && value.value === null;
    if (!isEmpty && value.kind !== 'mapping') {
      return this.#wrong(value, `label ${quoted(name)}: expected a mapping with backend and backend-options`);
    }
    if (name === '' || name !== name.trim() || /[:?]/.test(name)) {
      const message = `label ${quoted(name)}: expected a name without ":" and "?", and without a space at its start or end`;
      this.problems.push({ message, at: keyAt });
      return;
    }
    const mapping = value.kind === 'mapping' ? value : undefined;
    const backend = this.#backend(name, mapping);
    const options = this.#options(name, mapping);
    this.#unknownKeys(name, mapping);
    if (backend === undefined || options === undefined) return;
    this.#add({ name, backend, options, form: 'mapping', where: keyAt });
  }

  #backend(name: string, mapping: YamlMapping | undefined): string | undefined {
    const node = valueOf(mapping, 'backend');
    if (node === undefined) return 'docker';
    if (node.kind === 'scalar' && typeof node.value === 'string' && backendName.test(node.value)) return node.value;
    this.#wrong(node, `label ${quoted(name)}: expected the name of a backend`);
    return undefined;
  }

  #options(name: string, mapping: YamlMapping | undefined): Readonly<Record<string, unknown>> | undefined {
    const node = valueOf(mapping, 'backend-options');
    if (node === undefined) return {};
    // A mapping reads as an object with its keys.
    if (node.kind === 'mapping') return plainValue(node) as Readonly<Record<string, unknown>>;
    this.#wrong(node, `label ${quoted(name)}: expected a mapping of options`);
    return undefined;
  }

  #unknownKeys(name: string, mapping: YamlMapping | undefined): void {
    for (const { key, keyAt } of mapping?.entries ?? []) {
      if (mappingKeys.includes(key)) continue;
      const message = `label ${quoted(name)}: unknown key ${quoted(key)}${didYouMean(key, mappingKeys)}`;
      this.problems.push({ message, at: keyAt });
    }
  }

  #add(label: LabelConfiguration): void {
    const first = this.labels.get(label.name);
    if (first === undefined) {
      this.labels.set(label.name, this.#connection === undefined ? label : { ...label, connection: this.#connection });
      return;
    }
    const message = `label ${quoted(label.name)} is given twice; it stands in line ${first.where?.line} already`;
    this.problems.push(label.where === undefined ? { message } : { message, at: label.where });
  }

  #wrong(node: YamlNode, expected: string): void {
    this.problems.push({ message: `${expected}, found ${describeNode(node, false)}`, at: node.at });
  }
}

function valueOf(mapping: YamlMapping | undefined, key: string): YamlNode | undefined {
  const value = mapping?.entries.find((entry) => entry.key === key)?.value;
  return value?.kind === 'scalar' && value.value === null ? undefined : value;
}
