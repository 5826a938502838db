import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { isBelow } from './safe-path.ts';

/**
 * Mount points below a folder, deepest first. A job that runs as root may have bound any folder of the machine there,
 * and removing the tree would empty that folder.
 */
export async function mountsBelow(folder: string, mountInfo = '/proc/self/mountinfo'): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(mountInfo, 'utf8');
  } catch {
    return []; // not Linux
  }
  const points = text.split('\n').map((line) => unescape(line.split(' ')[4] ?? ''));
  return points.filter((point) => point !== '' && isBelow(folder, point)).toSorted((a, b) => b.length - a.length);
}

/** Spaces and the like stand there as octal numbers. */
function unescape(text: string): string {
  const bytes = text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return bytes;
}

/** Takes a mount away, also when somebody still has a file open there. Gives what is wrong, if anything. */
export async function unmount(point: string): Promise<string | undefined> {
  try {
    await promisify(execFile)('umount', ['-l', '--', point]);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
