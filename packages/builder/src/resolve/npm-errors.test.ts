import { expect, it } from 'vitest';
import { UserError } from '../user-error.ts';
import { NpmFailure } from './npm.ts';
import { translateNpmFailure } from './npm-errors.ts';

function translate(npmCode: string, summary: string, detail = ''): string {
  const error = translateNpmFailure(new NpmFailure({ npmCode, summary, detail, output: '' }), '@acme/a@1.0.0');
  return error instanceof UserError ? `${error.code} ${error.message}` : String(error);
}

it.each([
  [
    'ETARGET',
    'No matching version found for @acme/b@^9.',
    '',
    'FRB306 no version fits "@acme/b@^9", which @acme/a@1.0.0 depends on',
  ],
  [
    'ETARGET',
    'No matching version found for @acme/b@^9 with a date before 2026-01-01',
    '',
    'FRB318 no version of @acme/b is old enough, which @acme/a@1.0.0 depends on',
  ],
  ['E403', '403 Forbidden', '', 'FRB310 @acme/a@1.0.0: the registry refuses access (E403); 403 Forbidden'],
  [
    'ENOTFOUND',
    'request to https://registry.example/x failed, reason: getaddrinfo ENOTFOUND',
    '',
    'FRB307 @acme/a@1.0.0 could not be looked up: https://registry.example does not answer (ENOTFOUND)',
  ],
  [
    'EINTEGRITY',
    'sha512-a integrity checksum failed when using sha512: wanted sha512-a but got sha512-b',
    '',
    'FRB305 @acme/a@1.0.0: content does not match its checksum; nothing was built',
  ],
  [
    'EINTEGRITY',
    'Verification failed while extracting yaml@https://registry.example/yaml/-/yaml-2.9.1.tgz',
    '',
    'FRB305 yaml@2.9.1: content does not match its checksum; nothing was built',
  ],
  ['ENOSPC', 'no space left on device', '', 'FRB604 @acme/a@1.0.0 could not be installed: no space left on device'],
  ['128', 'An unknown git error occurred', '', 'FRB312 @acme/a@1.0.0: git failed; An unknown git error occurred'],
  ['EWEIRD', 'something\u001b[31m new', '', 'FRB309 @acme/a@1.0.0: npm failed with EWEIRD; something[31m new'],
])('translates %s: %s', (code, summary, detail, expected) => {
  expect(translate(code, summary, detail)).toBe(expected);
});

it('names who wants what when packages exclude each other', () => {
  const detail = `While resolving: x@undefined
Found: @acme/thing@2.0.0
node_modules/@acme/thing
  peer @acme/thing@"^2.0.0" from @acme/two@1.0.0
Could not resolve dependency:
peer @acme/thing@"^1.0.0" from @acme/one@1.0.0
Fix the upstream dependency conflict, or retry this command with --force`;
  expect(translate('ERESOLVE', 'could not resolve', detail)).toBe(
    'FRB308 @acme/a@1.0.0: @acme/two@1.0.0 needs @acme/thing ^2.0.0; @acme/one@1.0.0 needs @acme/thing ^1.0.0; found @acme/thing@2.0.0',
  );
});

it('leaves what is not from npm as it is', () => {
  const error = new TypeError('ours');
  expect(translateNpmFailure(error, 'x')).toBe(error);
});
