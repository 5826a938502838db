import type { Env, EnvironmentInfo } from '@forgejo-runner/core';
import { sameVariable, windowsDefaultPath, windowsEnvAllow } from './windows.ts';

/**
 * Variables of the runner that a job gets where the configuration names no others. Everything else, tokens above all,
 * stays with the runner.
 */
export const defaultEnvAllow: readonly string[] = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'LANG',
  'LANGUAGE',
  'LC_*',
  'TZ',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'FTP_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'ftp_proxy',
  'all_proxy',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'NODE_EXTRA_CA_CERTS',
];

/** They say something about one shell or process, or are ours, and would be wrong in any other. */
const neverHandedOn = ['HOSTNAME', 'PWD', 'OLDPWD', 'SHLVL', '_', 'FJR_*'];

const posixDefaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What to make a job's environment from. */
export interface EnvironmentSource {
  readonly runnerEnv: NodeJS.ProcessEnv;
  /** Names from the configuration; the default list where it has none. */
  readonly allow: readonly string[] | undefined;
  readonly platform: NodeJS.Platform;
}

/** The environment that the steps of a job start from: nothing of the runner's but what is on the list. */
export function cleanEnvironment({ runnerEnv, allow, platform }: EnvironmentSource): Env {
  const list = allow ?? (platform === 'win32' ? [...defaultEnvAllow, ...windowsEnvAllow] : defaultEnvAllow);
  const kept: [string, string][] = [];
  for (const [name, value] of Object.entries(runnerEnv)) {
    if (value === undefined || isListed(name, neverHandedOn, platform)) continue;
    if (isListed(name, list, platform)) kept.push([name, value]);
  }
  const { pathName, defaultPath } = searchPath(runnerEnv, platform);
  const hasPath = kept.some(([name]) => sameVariable(name, pathName, platform));
  // Without a search path nothing can be run, so there is always one.
  if (!hasPath)
    kept.push([pathName, isListed(pathName, list, platform) ? defaultPath : systemPath(runnerEnv, platform)]);
  return Object.fromEntries(kept);
}

/** How the search path is called and split, and what it is by default. */
export function searchPath(runnerEnv: NodeJS.ProcessEnv, platform: NodeJS.Platform): EnvironmentInfo['env'] {
  const isWindows = platform === 'win32';
  const spelled = Object.keys(runnerEnv).find((name) => sameVariable(name, 'Path', platform));
  const pathName = isWindows ? (spelled ?? 'Path') : 'PATH';
  const value = runnerEnv[pathName];
  return {
    caseInsensitive: isWindows,
    pathName,
    pathSeparator: isWindows ? ';' : ':',
    defaultPath: value === undefined || value === '' ? systemPath(runnerEnv, platform) : value,
  };
}

function systemPath(runnerEnv: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  if (platform !== 'win32') return posixDefaultPath;
  const root = Object.entries(runnerEnv).find(([name]) => sameVariable(name, 'SystemRoot', platform))?.[1];
  return windowsDefaultPath(root ?? 'C:\\Windows');
}

function isListed(name: string, list: readonly string[], platform: NodeJS.Platform): boolean {
  return list.some((entry) => {
    if (!entry.endsWith('*')) return sameVariable(name, entry, platform);
    const start = entry.slice(0, -1);
    return sameVariable(name.slice(0, start.length), start, platform);
  });
}
