import path from 'node:path';
import { BackendError } from '@forgejo-runner/core';

/** Rules for names: those of POSIX, or those of Windows, where more names mean something else than they say. */
export type PathStyle = 'posix' | 'win32';

const windowsDevice = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?$/i;

/** The style of the machine that this process runs on. */
export function hostPathStyle(platform: NodeJS.Platform = process.platform): PathStyle {
  return platform === 'win32' ? 'win32' : 'posix';
}

/**
 * The parts of a relative name from an archive or a request, with `.` and empty parts left out. An empty list means the
 * root itself. Looks at the name alone: who then walks the parts must not follow symlinks.
 *
 * @throws BackendError `plan` for a name that is absolute, has a part `..` or a NUL, or, for Windows, would be read
 * there as a drive, a device or a stream.
 */
export function safeParts(name: string, style: PathStyle = hostPathStyle()): string[] {
  if (name.includes('\0')) throw refused(name, 'a NUL in it');
  const isAbsolute = style === 'win32' ? path.win32.isAbsolute(name) : name.startsWith('/');
  if (isAbsolute) throw refused(name, 'an absolute path');
  const parts = name.split(style === 'win32' ? /[/\\]/ : '/').filter((part) => part !== '' && part !== '.');
  for (const part of parts) {
    if (part === '..') throw refused(name, 'a part ".."');
    if (style === 'win32') checkWindowsPart(name, part);
  }
  return parts;
}

/**
 * A relative name below `root`, as an absolute path.
 *
 * @throws BackendError `plan`, like {@link safeParts}.
 */
export function pathBelow(root: string, name: string, style: PathStyle = hostPathStyle()): string {
  return path[style].join(root, ...safeParts(name, style));
}

/** Is `candidate` the folder `root` or something below it? Compares names only; both must be absolute. */
export function isBelow(root: string, candidate: string, style: PathStyle = hostPathStyle()): boolean {
  const relative = path[style].relative(root, candidate);
  return relative !== '..' && !relative.startsWith(`..${path[style].sep}`) && !path[style].isAbsolute(relative);
}

function checkWindowsPart(name: string, part: string): void {
  if (/[<>:"|?*\u0001-\u001f]/.test(part)) throw refused(name, 'a character that Windows does not take');
  if (windowsDevice.test(part)) throw refused(name, 'the name of a Windows device');
  // Windows drops them, so that two names would mean one file.
  if (/[. ]$/.test(part)) throw refused(name, 'a part that ends with a dot or a space');
}

function refused(name: string, found: string): BackendError {
  const shown = JSON.stringify(name.slice(0, 200));
  return new BackendError('plan', `expected a name that stays below its folder, found ${shown} with ${found}`, {
    resource: name,
    hint: 'use a relative path without ".."',
  });
}
