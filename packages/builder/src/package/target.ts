import { quoted, UserError } from '../user-error.ts';

/** Platforms that single executables are made for. */
export const targets = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'darwin-x64', 'win-x64'] as const;

/** A platform that single executables are made for, in Node's words, with `win` for Windows. */
export type Target = (typeof targets)[number];

/** The target that this machine is, if it is one. */
export function hostTarget(
  platform: NodeJS.Platform = process.platform,
  arch: string = process.arch,
): Target | undefined {
  const name = `${platform === 'win32' ? 'win' : platform}-${arch}`;
  return targets.find((target) => target === name);
}

/** Reads targets as they are given by flags and manifests, each once, in our order. @throws UserError `FRB201` */
export function parseTargets(texts: readonly string[]): readonly Target[] {
  const unknown = texts.find((text) => !targets.some((target) => target === text));
  if (unknown !== undefined) {
    throw new UserError('FRB201', `--target: expected one of ${targets.join(', ')}, found ${quoted(unknown)}`);
  }
  return targets.filter((target) => texts.includes(target));
}

/** The file of one target: as asked for when there is one target, else with its name. */
export function outputOf(output: string, target: Target, count: number): string {
  const plain = count > 1 ? `${output.replace(/\.exe$/i, '')}-${target}` : output;
  return target.startsWith('win-') && !/\.exe$/i.test(plain) ? `${plain}.exe` : plain;
}
