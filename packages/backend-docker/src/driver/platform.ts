import { architectureName, type EngineFacts } from './engine-facts.ts';

/** What an image says that it is made for. */
export interface ImagePlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
}

/** Whether an image is for a platform such as `linux/arm64`; a variant counts where both sides name one. */
export function isForPlatform(image: ImagePlatform, platform: string): boolean {
  const [os = '', architecture = '', variant = ''] = platform.toLowerCase().split('/');
  if (image.os !== os || image.architecture !== architectureName(architecture)) return false;
  return variant === '' || image.variant === '' || image.variant === variant;
}

/** Whether an engine runs an image without emulation. */
export function runsNatively({ os, architecture }: ImagePlatform, facts: Pick<EngineFacts, 'os' | 'arch'>): boolean {
  if (os !== facts.os) return false;
  // Processors run what was made for their 32-bit forerunners; most of them do.
  const forerunners: Readonly<Record<string, string>> = { amd64: '386', arm64: 'arm' };
  return architecture === facts.arch || architecture === forerunners[facts.arch];
}

/** As people write it. */
export function platformName({ os, architecture, variant }: ImagePlatform): string {
  return [os, architecture, ...(variant === '' ? [] : [variant])].join('/');
}
