import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { UserError } from '../user-error.ts';

/** A backend that a runner configuration needs, and what needs it. */
export interface NeededBackend {
  /** Kind of the backend: what a package declares. */
  readonly id: string;
  /** Labels and sections that name it, with their lines. */
  readonly neededBy: readonly string[];
}

/**
 * Reads off which kinds of backends a runner configuration uses: by its labels, in either form, of the runner and of its
 * connections. A section with `factory` gives its backend a name of its own; a plugin is a backend of the kind `grpc`.
 *
 * @throws UserError `FRB208` with the place of what is no YAML.
 */
export function neededBackends(text: string, file: string): readonly NeededBackend[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent' });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    throw new UserError('FRB208', `${file} cannot be read as YAML: ${error.message.split('\n', 1)[0] ?? ''}`, {
      where: `${file}:${line}:${col}`,
    });
  }
  const lineOf = (node: Node | undefined): number => lines.linePos(node?.range?.[0] ?? 0).line;
  const at = (path: readonly string[]): unknown => (isMap(document.contents) ? document.getIn(path, true) : undefined);
  const found = new Map<string, string[]>();
  const add = (name: string, why: string): void => {
    const id = kindOf(name, at);
    found.set(id, [...(found.get(id) ?? []), why]);
  };
  for (const list of [
    at(['runner', 'labels']),
    ...valuesOf(at(['server', 'connections'])).map((one) => labelsOf(one)),
  ]) {
    for (const label of readLabels(list)) add(label.backend, `label ${label.name} in line ${lineOf(label.node)}`);
  }
  return [...found].map(([id, neededBy]) => ({ id, neededBy }));
}

type Look = (path: readonly string[]) => unknown;

function kindOf(name: string, at: Look): string {
  const factory = at(['backend', name, 'factory']);
  if (isScalar(factory) && typeof factory.value === 'string') return factory.value;
  return isMap(at(['plugins', name])) ? 'grpc' : name;
}

interface Label {
  readonly name: string;
  readonly backend: string;
  readonly node: Node;
}

function readLabels(list: unknown): readonly Label[] {
  if (isSeq(list)) return list.items.flatMap((item) => (isScalar(item) ? fromText(String(item.value), item) : []));
  if (!isMap(list)) return [];
  return list.items.flatMap(({ key, value }) => {
    if (!isScalar(key)) return [];
    const backend = isMap(value) ? value.get('backend') : undefined;
    return { name: String(key.value), backend: typeof backend === 'string' ? backend : 'docker', node: key };
  });
}

/** `name[:backend[:argument]][?options]`, as docs/reference/labels.md has it. */
function fromText(text: string, node: Node): readonly Label[] {
  const [name = '', backend = 'docker'] = (text.split('?', 1)[0] ?? '').split(':');
  return name === '' ? [] : [{ name, backend, node }];
}

function valuesOf(node: unknown): readonly unknown[] {
  return isMap(node) ? node.items.map((item) => item.value) : [];
}

function labelsOf(node: unknown): unknown {
  return isMap(node) ? node.get('labels', true) : undefined;
}
