import type { BackendId } from './backend.ts';
import type { Capabilities } from './capabilities.ts';
import { BackendError } from './errors.ts';

/** Where in a configuration file something stands. Lines and columns count from 1. */
export interface LabelPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * A label as configured, in either form:
 *
 * ```yaml
 * labels: ["mac:tart://sequoia?cpu=4"]
 * labels: { mac: { backend: tart, backend-options: { image: sequoia, cpu: 4 } } }
 * ```
 *
 * Both give the same name, backend and options; only in the string form every value is a string, or an array of
 * strings where a key is repeated.
 */
export interface LabelConfiguration {
  readonly name: string;
  readonly backend: BackendId;
  readonly options: Readonly<Record<string, unknown>>;
  readonly form: 'mapping' | 'string';
  /** Name of the server connection that the label belongs to, where it is not for all. */
  readonly connection?: string;
  readonly where?: LabelPlace;
}

/** What a backend made of a label. */
export interface ResolvedLabel {
  readonly capabilities: Capabilities;
  /** The label in one spelling, that parses back to itself: what two labels that mean the same have in common. */
  readonly canonical: string;
  /** The backend's own form of the options. The runner hands it back in `createEnvironment` and never looks inside. */
  readonly data: unknown;
}

const backendPattern = /^[a-z][a-z0-9_-]{0,31}$/;

/**
 * Reads the string form of a label, `name[:backend[:arg]][?key=value&...]`. Without a backend it is `docker`, as
 * Forgejo's own runner has it. The argument becomes the option `image`; a leading `//` is dropped and `%3F` stands for
 * a question mark.
 *
 * @throws BackendError `label` that quotes the label and says what was expected.
 */
export function parseLabel(text: string): LabelConfiguration {
  const queryAt = text.indexOf('?');
  const spec = queryAt < 0 ? text : text.slice(0, queryAt);
  const [name = '', backend = 'docker', ...rest] = spec.split(':');
  checkNames(text, name, backend);
  const options = readQuery(queryAt < 0 ? '' : text.slice(queryAt + 1));
  const image = decodeArgument(rest.join(':'));
  if (image !== '' && options.has('image')) {
    throw malformed(text, `"image" is given twice, by the argument "${image}" and by the query`);
  }
  if (image !== '') options.set('image', image);
  return { name, backend, options: Object.fromEntries(options), form: 'string' };
}

function checkNames(text: string, name: string, backend: string): void {
  if (name === '') throw malformed(text, 'expected a name before ":" or "?"');
  if (/[:?]/.test(name)) throw malformed(text, 'expected a name without ":" and "?"');
  if (name !== name.trim()) throw malformed(text, 'expected a name without a space at its start or end');
  if (backendPattern.test(backend)) return;
  const found = `found "${backend.slice(0, 200)}"`;
  throw malformed(text, `expected a backend of a-z, 0-9, "-" and "_" that starts with a letter, ${found}`);
}

/**
 * Writes a label in its one string form, with the options in the order of their names. What the string form says in
 * strings only, such as a number or a nested value, stands there as JSON.
 *
 * @throws BackendError `label` for a name or backend that the string form cannot say.
 */
export function formatLabel(label: Pick<LabelConfiguration, 'name' | 'backend' | 'options'>): string {
  checkNames(label.name, label.name, label.backend);
  const query = new URLSearchParams();
  let argument = '';
  for (const [key, value] of Object.entries(label.options).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    // An empty or repeated image cannot be told from none in the argument.
    if (key === 'image' && typeof value === 'string' && value !== '') argument = `:${encodeArgument(value)}`;
    else for (const one of Array.isArray(value) ? value : [value]) query.append(key, optionText(one));
  }
  const suffix = query.size === 0 ? '' : `?${query.toString()}`;
  return `${label.name}:${label.backend}${argument}${suffix}`;
}

function malformed(label: string, problem: string): BackendError {
  return new BackendError('label', `label "${label.slice(0, 200)}": ${problem}`, {
    resource: label,
    hint: 'write name:backend:argument?option=value, such as "debian:docker://node:22-bookworm" or "shell:host"',
  });
}

function readQuery(query: string): Map<string, string | string[]> {
  const options = new Map<string, string | string[]>();
  for (const [key, value] of new URLSearchParams(query)) {
    const present = options.get(key);
    if (present === undefined) options.set(key, value);
    else if (Array.isArray(present)) present.push(value);
    else options.set(key, [present, value]);
  }
  return options;
}

function decodeArgument(argument: string): string {
  const bare = argument.startsWith('//') ? argument.slice(2) : argument;
  return bare.replaceAll(/%(3f|25)/gi, (_, code: string) => (code === '25' ? '%' : '?'));
}

function encodeArgument(image: string): string {
  const escaped = image.replaceAll(/%(?=3f|25)/gi, '%25').replaceAll('?', '%3F');
  return `//${escaped}`;
}

function optionText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
