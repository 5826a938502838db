/** What a Windows program needs to start at all, and where tools look for themselves. */
export const windowsEnvAllow: readonly string[] = [
  'SystemRoot',
  'SystemDrive',
  'windir',
  'ComSpec',
  'PATHEXT',
  'USERPROFILE',
  'HOMEDRIVE',
  'HOMEPATH',
  'USERNAME',
  'USERDOMAIN',
  'COMPUTERNAME',
  'APPDATA',
  'LOCALAPPDATA',
  'ALLUSERSPROFILE',
  'ProgramData',
  'ProgramFiles',
  'ProgramFiles(x86)',
  'ProgramW6432',
  'CommonProgramFiles',
  'CommonProgramFiles(x86)',
  'CommonProgramW6432',
  'PUBLIC',
  'OS',
  'NUMBER_OF_PROCESSORS',
  'PROCESSOR_ARCHITECTURE',
  'PROCESSOR_IDENTIFIER',
  'PSModulePath',
  'DriverData',
];

/** Search path where the runner has none. */
export function windowsDefaultPath(systemRoot: string): string {
  const system = `${systemRoot}\\system32`;
  return [system, systemRoot, `${system}\\Wbem`, `${system}\\WindowsPowerShell\\v1.0`].join(';');
}

/** Names of variables mean the same there however they are spelled. */
export function sameVariable(a: string, b: string, platform: NodeJS.Platform): boolean {
  return platform === 'win32' ? a.toLowerCase() === b.toLowerCase() : a === b;
}
