import { posix, win32 } from 'node:path';
import { minimatch } from 'minimatch';

/** A path of Windows, where case and the direction of slashes do not count. */
const windowsPath = /^(?:[A-Za-z]:|\\\\)/;
const volumeName = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/**
 * The source of a mount in the one form in which it is compared and handed on, so that what was allowed is what is
 * mounted. Undefined for what is neither an absolute path nor the name of a volume.
 */
export function normalSource(source: string): string | undefined {
  if (source.includes('\0')) return undefined;
  if (windowsPath.test(source)) return win32.isAbsolute(source) ? withoutSlash(win32.normalize(source)) : undefined;
  // An engine on Windows would go up at the backslashes that are part of a name on Linux.
  if (source.startsWith('/')) return source.includes('\\') ? undefined : withoutSlash(posix.normalize(source));
  return source === '' || volumeName.test(source) ? source : undefined;
}

/**
 * Whether one of the patterns of `container.valid_volumes` fits the source of a mount. As in the Go runner `*` goes over
 * slashes: `/srv/*` is everything below `/srv`, which whoever mounts a folder there gets anyway.
 */
export function isValidVolume(source: string, patterns: readonly string[]): boolean {
  const normal = normalSource(source);
  if (normal === undefined) return false;
  return patterns.some((pattern) => minimatch(flat(normal), flat(pattern.trim()), options));
}

const options = { dot: true, nocomment: true, nonegate: true, noext: true } as const;

/** One name without slashes, so that no wildcard stops at one. A zero byte is in no path. */
function flat(path: string): string {
  const isWindows = windowsPath.test(path);
  const plain = isWindows ? path.replaceAll('\\', '/').toLowerCase() : path;
  return withoutSlash(plain).replaceAll('/', '\0');
}

function withoutSlash(path: string): string {
  // A root keeps its slash.
  return path.length > 1 && !/^[A-Za-z]:[\\/]$/.test(path) ? path.replace(/[\\/]+$/, '') : path;
}
