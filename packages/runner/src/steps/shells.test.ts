import { expect, it } from 'vitest';
import { UserError } from '../user-error.ts';
import { readShell, shellArgv } from './shells.ts';

const at = { file: 'w.yml', line: 3, column: 5 };

it.each<[string, string, readonly string[]]>([
  ['bash', '/r/s.sh', ['bash', '--noprofile', '--norc', '-e', '-o', 'pipefail', '/r/s.sh']],
  ['sh', '/r/s.sh', ['sh', '-e', '/r/s.sh']],
  ['python', '/r/s.py', ['python', '/r/s.py']],
  ['node', '/r/s.js', ['node', '/r/s.js']],
  ['pwsh', '/r/s.ps1', ['pwsh', '-command', ". '/r/s.ps1'"]],
  ['powershell', '/r/s.ps1', ['powershell', '-command', ". '/r/s.ps1'"]],
  ['cmd', 'C:\\r\\s.cmd', ['cmd', '/D', '/E:ON', '/V:OFF', '/S', '/C', 'CALL "C:\\r\\s.cmd"']],
  ['perl {0}', '/r/s', ['perl', '/r/s']],
  ['bash -euxo pipefail {0}', '/r/s', ['bash', '-euxo', 'pipefail', '/r/s']],
  ["env 'A B=c' sh {0} --", '/r/s', ['env', 'A B=c', 'sh', '/r/s', '--']],
  ['sh -c "exec $SHELL {0}"', '/r/s', ['sh', '-c', 'exec $SHELL /r/s']],
  [' bash ', '/r/$&.sh', ['bash', '--noprofile', '--norc', '-e', '-o', 'pipefail', '/r/$&.sh']],
])('%s', (text, file, argv) => {
  expect(shellArgv(readShell(text, at), file)).toEqual(argv);
});

it.each(['fish', '', '__proto__', 'constructor', 'sh {0} | tee x', '{0} -x', 'sh {0} > x'])('refuses %j', (text) => {
  expect(() => readShell(text, at)).toThrow(UserError);
});

it('says which shells there are', () => {
  expect(() => readShell('fish', at)).toThrow(
    'w.yml:3:5: expected a shell (bash, sh, pwsh, powershell, cmd, python, node) or a command line with {0}, found "fish"',
  );
});

it('lets PowerShell stop at errors and hand on the exit code of programs', () => {
  const script = readShell('pwsh', at).wrap('cargo test');
  expect(script).toMatch(/^\$ErrorActionPreference = 'stop'\ncargo test\n/);
  expect(script).toContain('exit $LASTEXITCODE');
});

it('writes batch files with the line ends that cmd wants', () => {
  expect(readShell('cmd', at).wrap('echo a\necho b\r\n')).toBe('@echo off\r\necho a\r\necho b\r\n');
});
