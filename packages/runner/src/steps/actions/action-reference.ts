import { quoted, type Problem } from '../../user-error.ts';

/** What `uses` of a step names. */
export type ActionReference = LocalReference | DockerReference | RemoteReference;

/** An action in the workspace of the job: `./path`. */
export interface LocalReference {
  readonly kind: 'local';
  readonly path: string;
}

/** An image that is an action by itself: `docker://image`. */
export interface DockerReference {
  readonly kind: 'docker';
  readonly image: string;
}

/** An action in a repository: `owner/repo/path@ref`, with or without the address of its server. */
export interface RemoteReference {
  readonly kind: 'remote';
  /** Address to clone from, without credentials. */
  readonly url: string;
  /** Server of the address, such as `https://code.forgejo.org`. */
  readonly origin: string;
  /** `owner/repo`. */
  readonly repository: string;
  /** Folder of the action in the repository; empty for its root. */
  readonly path: string;
  /** Tag, branch or commit. */
  readonly ref: string;
  /** Credentials that stand in the address. */
  readonly credentials?: Credentials;
}

/** A login for a git server. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Where actions may come from. */
export interface ReferenceOptions {
  /** Server of actions without one of their own. */
  readonly defaultUrl: string;
}

const maxLength = 1024;
/** What Forgejo and GitHub allow in the names of owners and repositories. */
const namePattern = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const remotePattern = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/]+)\/)?([^@]+)@(.+)$/s;
/** Source: `git check-ref-format`, and a leading dash, which a command would take for an option. */
const refPattern = /^(?![-/.])(?!.*(?:\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)))[^\s~^:?*[\\\p{Cc}]+(?<![/.])$/u;

/**
 * Reads `uses` of a step. Never throws: what is wrong comes back as a problem, without credentials.
 *
 * ```ts
 * readActionReference('actions/checkout@v4', { defaultUrl: 'https://code.forgejo.org' });
 * // { kind: 'remote', url: 'https://code.forgejo.org/actions/checkout', path: '', ref: 'v4', … }
 * ```
 */
export function readActionReference(uses: string, options: ReferenceOptions): ActionReference | Problem {
  if (uses.length > maxLength) return { message: `expected uses of at most ${maxLength} characters, found more` };
  if (/[\p{Cc}\p{Cf}]/u.test(uses)) return wrong(uses, 'an action without control characters');
  if (uses.startsWith('./') || uses === '.') return { kind: 'local', path: uses };
  if (uses.startsWith('docker://')) return readImage(uses);
  return readRemote(uses, options);
}

/** Is it a reference, and not what is wrong with it? */
export function isReference(read: ActionReference | Problem): read is ActionReference {
  return 'kind' in read;
}

/** The text without a login in an address, for messages. */
export function withoutCredentials(text: string): string {
  return text.replaceAll(/(:\/\/)[^/\s]+@/g, '$1***@');
}

function readImage(uses: string): DockerReference | Problem {
  const image = uses.slice('docker://'.length).trim();
  if (image === '' || image.startsWith('-') || /\s/.test(image)) return wrong(uses, 'docker://image');
  return { kind: 'docker', image };
}

function readRemote(uses: string, options: ReferenceOptions): RemoteReference | Problem {
  const [, scheme, authority = '', names = '', ref = ''] = remotePattern.exec(uses) ?? [];
  if (names === '')
    return wrong(uses, './path, owner/repo[/path]@ref, https://host/owner/repo[/path]@ref or docker://image');
  if (!refPattern.test(ref)) return wrong(uses, 'the name of a tag, branch or commit after "@"');
  const [owner = '', repository = '', ...folders] = names.split('/');
  if (![owner, repository].every((name) => namePattern.test(name)))
    return wrong(uses, 'owner/repo of letters, digits, ".", "_" and "-"');
  if (folders.some((folder) => !isPlainFolder(folder))) return wrong(uses, 'a path below the repository, without ".."');
  const server = readServer(scheme === undefined ? options.defaultUrl : `${scheme}://${authority}`, uses);
  if ('message' in server) return server;
  const name = `${owner}/${repository.replace(/\.git$/, '')}`;
  return {
    kind: 'remote',
    url: `${server.url}/${name}`,
    origin: server.url,
    repository: name,
    path: folders.join('/'),
    ref,
    ...(server.credentials === undefined ? {} : { credentials: server.credentials }),
  };
}

function isPlainFolder(folder: string): boolean {
  return folder !== '' && folder !== '.' && folder !== '..' && !folder.includes('\\');
}

interface ReadServer {
  readonly url: string;
  readonly credentials?: Credentials;
}

function readServer(address: string, uses: string): ReadServer | Problem {
  const url = URL.parse(address);
  // Others need a login on the runner's machine (ssh), or read its files.
  if (url === null || !/^https?:$/.test(url.protocol)) return wrong(uses, 'an address with https:// or http://');
  const { username, password } = url;
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  const plain = { url: url.href.replace(/\/+$/, '') };
  if (username === '' && password === '') return plain;
  return { ...plain, credentials: { username: decoded(username), password: decoded(password) } };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function wrong(uses: string, expected: string): Problem {
  return { message: `expected ${expected} in uses, found ${quoted(withoutCredentials(uses))}` };
}
