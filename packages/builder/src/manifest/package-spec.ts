import path from 'node:path';
import { fileURLToPath } from 'node:url';
import semver from 'semver';
import { quoted, UserError } from '../user-error.ts';

/** A package as somebody asked for it. */
export type PackageSpec =
  | { readonly kind: 'registry'; readonly name: string; readonly range: string; readonly text: string }
  | { readonly kind: 'path'; readonly name?: string; readonly path: string; readonly text: string }
  | { readonly kind: 'tarball'; readonly name?: string; readonly location: string; readonly text: string }
  | { readonly kind: 'git'; readonly name?: string; readonly url: string; readonly text: string };

type Source = { kind: 'path'; path: string } | { kind: 'tarball'; location: string } | { kind: 'git'; url: string };

const namePattern = /^(?:@[a-z0-9~][a-z0-9._~-]*\/)?[a-z0-9~][a-z0-9._~-]*$/;
// What npm takes as a tag: everything that is the same inside a URL, as long as it is not a range.
const tagPattern = /^[A-Za-z][A-Za-z0-9._-]*$/;

/** May a package have this name? Stricter than the registry's old names: no capitals, nothing that looks like a flag. */
export function isPackageName(name: string): boolean {
  return name.length <= 214 && namePattern.test(name);
}

/**
 * Reads the value of `--with`: `NAME`, `NAME@VERSION`, `NAME@RANGE`, `NAME@TAG`, `NAME=SOURCE`, `NAME@SOURCE` or
 * `SOURCE`, where a source is a path (`./dir`), a tarball (`./x.tgz`, `https://host/x.tgz`) or a git URL
 * (`git+https://host/repository.git#ref`). Paths are relative to `cwd`.
 *
 * @throws UserError `FRB201`
 */
export function parsePackageSpec(text: string, cwd: string): PackageSpec {
  const bare = parseSource(text, cwd);
  if (bare !== undefined) return { ...bare, text };
  const { name, rest, separator } = splitName(text);
  if (!isPackageName(name)) {
    throw malformed(text, `expected a package name, found ${quoted(name)}`);
  }
  if (rest === undefined) return { kind: 'registry', name, range: 'latest', text };
  const source = parseSource(rest, cwd, separator === '=');
  if (source !== undefined) return { ...source, name, text };
  if (separator === '=')
    throw malformed(text, `expected a path, a tarball or a git URL after "=", found ${quoted(rest)}`);
  if (rest === '' || (semver.validRange(rest) === null && !tagPattern.test(rest))) {
    throw malformed(text, `expected a version, a range or a tag after "@", found ${quoted(rest)}`);
  }
  return { kind: 'registry', name, range: rest, text };
}

/** Reads the value of `--replace`: `NAME=PATH`. @throws UserError `FRB201` */
export function parseReplacement(text: string, cwd: string): { readonly name: string; readonly path: string } {
  const spec = parsePackageSpec(text, cwd);
  if (spec.kind !== 'path' || spec.name === undefined) {
    throw malformed(text, 'expected NAME=PATH, where PATH is a folder', '--replace');
  }
  return { name: spec.name, path: spec.path };
}

/** Does it name one version and nothing else? */
export function isExactVersion(range: string): boolean {
  return semver.valid(range) !== null;
}

function splitName(text: string): { name: string; rest?: string; separator?: '=' | '@' } {
  // The first character may be the @ of a scope. Ranges such as ">=1" contain "=", so whichever comes first counts.
  const at = text.indexOf('@', 1);
  const equals = text.indexOf('=');
  const index = at === -1 ? equals : equals === -1 ? at : Math.min(at, equals);
  if (index === -1) return { name: text };
  return { name: text.slice(0, index), rest: text.slice(index + 1), separator: text[index] === '=' ? '=' : '@' };
}

function parseSource(text: string, cwd: string, isAnyPath = false): Source | undefined {
  if (/^git(\+(https?|ssh|file))?:\/\//.test(text)) return { kind: 'git', url: text };
  if (/^https?:\/\//.test(text)) return isTarball(text) ? { kind: 'tarball', location: text } : undefined;
  const file = filePath(text, isAnyPath);
  if (file === undefined) return undefined;
  const absolute = path.resolve(cwd, file);
  return isTarball(file) ? { kind: 'tarball', location: absolute } : { kind: 'path', path: absolute };
}

function filePath(text: string, isAnyPath: boolean): string | undefined {
  if (text.startsWith('file://')) return fileUrlPath(text);
  if (text.startsWith('file:')) return text.slice('file:'.length);
  if (/^\.{0,2}[/\\]/.test(text) || text === '.' || text === '..' || /^[A-Za-z]:[/\\]/.test(text)) return text;
  if (/^[a-z+]+:\/\//i.test(text)) return undefined;
  // A bare file name; with "=" in it, what stands on the left is a name.
  return (isAnyPath && text !== '') || (isTarball(text) && !text.includes('=')) ? text : undefined;
}

function fileUrlPath(text: string): string {
  try {
    return fileURLToPath(text);
  } catch (cause) {
    throw malformed(text, 'expected the URL of a local file', '--with', cause);
  }
}

function isTarball(text: string): boolean {
  return /\.(tgz|tar\.gz)$/.test(text);
}

function malformed(text: string, problem: string, flag = '--with', cause?: unknown): UserError {
  return new UserError('FRB201', `${flag} ${quoted(text)}: ${problem}`, cause === undefined ? {} : { cause });
}
