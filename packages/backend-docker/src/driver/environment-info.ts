import type { Env, EnvironmentInfo, RunnerArch } from '@forgejo-runner/core';
import type { EngineFacts } from './endpoint.ts';
import type { ProvidedImage } from './images.ts';
import type { JobFolders } from './job-place.ts';

/** What engines give containers whose image has none. */
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** They say something about one process, and would be wrong in any other. */
const ofOneProcess = ['HOSTNAME', 'PWD', 'OLDPWD', 'SHLVL', '_'];
const systems: Readonly<Record<string, string>> = { linux: 'Linux', freebsd: 'FreeBSD', windows: 'Windows' };
const architectures: Readonly<Record<string, RunnerArch>> = {
  amd64: 'X64',
  '386': 'X86',
  arm64: 'ARM64',
  arm: 'ARM',
};

/** The variables of an image, with a search path. */
export function imageEnv({ config }: ProvidedImage): Env {
  const env: Record<string, string> = { PATH: defaultPath };
  for (const entry of config.env) {
    const at = entry.indexOf('=');
    const name = at < 0 ? entry : entry.slice(0, at);
    if (name !== '' && !ofOneProcess.includes(name)) env[name] = at < 0 ? '' : entry.slice(at + 1);
  }
  return env;
}

/** What the inside of a container looks like. */
export function environmentInfo(parts: {
  readonly facts: EngineFacts;
  readonly image: ProvidedImage;
  readonly folders: JobFolders['paths'];
  readonly home: string;
  readonly env: Env;
}): EnvironmentInfo {
  const { facts, image, folders, home, env } = parts;
  const os = image.config.os || facts.os;
  const arch = image.config.architecture || facts.arch;
  return {
    os: systems[os] ?? os,
    arch: architectures[arch] ?? arch,
    paths: { ...folders, home },
    env: { caseInsensitive: false, pathName: 'PATH', pathSeparator: ':', defaultPath: env['PATH'] ?? defaultPath },
    pathStyle: 'posix',
  };
}
