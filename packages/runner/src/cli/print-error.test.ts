import { BackendError } from '@forgejo-runner/core';
import { expect, it } from 'vitest';
import { fakeIo } from '../../test/fake-io.ts';
import { Interruption } from '../io.ts';
import { UserError } from '../user-error.ts';
import { printError } from './print-error.ts';

function printed(error: unknown, debug = false): { readonly exitCode: number; readonly text: string } {
  const { io, stderr } = fakeIo();
  const exitCode = printError(error, io.stderr, { debug });
  return { exitCode, text: stderr() };
}

it('shows every problem of a user error with its place, and the next step', () => {
  const at = { file: 'config.yml', line: 3, column: 5 };
  const error = new UserError('FRR201', {
    problems: [{ message: 'unknown key "labells"', at }, { message: 'expected a number, found "x"' }],
    next: 'see docs/reference/config.md',
  });
  expect(printed(error)).toEqual({
    exitCode: 1,
    text:
      'error FRR201: the configuration is wrong\n' +
      '  config.yml:3:5: unknown key "labells"\n' +
      '  expected a number, found "x"\n' +
      'next: see docs/reference/config.md\n',
  });
});

it('says where to report a defect', () => {
  const { io, stderr } = fakeIo();
  printError(new TypeError('x'), io.stderr, { debug: false, support: 'https://acme.example/help' });
  expect(stderr()).toMatch(/together with build-info at https:\/\/acme\.example\/help\n$/);
});

it('answers a wrong command line with the code for it', () => {
  expect(printed(new UserError('FRR101', { problems: [{ message: 'unknown option "--x"' }] })).exitCode).toBe(64);
});

it('shows what a backend says, what is missing and its hint', () => {
  const error = new BackendError('unsupported', 'label "k3s" cannot run this job', {
    unmet: ['services.db uses volumes'],
    hint: 'use another label',
  });
  expect(printed(error)).toEqual({
    exitCode: 1,
    text: 'error (backend, unsupported): label "k3s" cannot run this job\n  missing: services.db uses volumes\nnext: use another label\n',
  });
});

it('asks for a report of a defect, with its stack and causes only under --debug', () => {
  const error = new TypeError('x is not a function', { cause: new Error('below') });
  expect(printed(error)).toEqual({
    exitCode: 70,
    text:
      'error: unexpected TypeError: x is not a function\n' +
      'next: this is a defect of the runner; run the command again with --debug and report what it says together with build-info\n',
  });
  expect(printed(error, true).text).toMatch(/TypeError: x is not a function\n {4}at .*caused by Error: below\n/s);
});

it('survives a cause that goes in circles', () => {
  const error = new Error('a');
  error.cause = error;
  expect(printed(error, true).text.match(/at /g)?.length).toBeGreaterThan(0);
});

it.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('answers %s as a shell would', (signal, exitCode) => {
  expect(printed(new Interruption(signal))).toEqual({ exitCode, text: `interrupted by ${signal}\n` });
});

it('keeps control characters of strangers off the terminal', () => {
  const error = new UserError('FRR302', { problems: [{ message: 'found \u001b[2Jx\r\u009b' }] });
  expect(printed(error).text).toContain('  found \\x1b[2Jx\\x0d\\x9b\n');
});

it.each([undefined, null, 'text', 7])('shows %j that was thrown', (thrown) => {
  expect(printed(thrown)).toMatchObject({ exitCode: 70 });
});
