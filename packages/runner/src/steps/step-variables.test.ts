import type { EnvironmentInfo } from '@forgejo-runner/core';
import { expect, it } from 'vitest';
import { stepVariables, type VariableSources } from './step-variables.ts';

const paths = { workspace: '/w', temp: '/t', toolCache: '/c', runner: '/r', home: '/h' };
const linux: EnvironmentInfo = {
  os: 'Linux',
  arch: 'X64',
  paths,
  env: { caseInsensitive: false, pathName: 'PATH', pathSeparator: ':', defaultPath: '/usr/bin:/bin' },
  pathStyle: 'posix',
};
const windows: EnvironmentInfo = {
  ...linux,
  os: 'Windows',
  env: { caseInsensitive: true, pathName: 'Path', pathSeparator: ';', defaultPath: 'C:\\Windows' },
  pathStyle: 'win32',
};

function sources(over: Partial<Record<keyof VariableSources, unknown>>): VariableSources {
  const empty = new Map<string, string>();
  const none = {
    machine: {},
    replaceable: empty,
    administrator: empty,
    job: empty,
    base: empty,
    step: empty,
    action: empty,
    path: [],
  };
  return { ...none, ...over } as VariableSources;
}

it('lets each source win over those before it', () => {
  const order = ['machine', 'replaceable', 'administrator', 'job', 'base', 'step', 'action'] as const;
  for (const [index, source] of order.entries()) {
    const given = Object.fromEntries(
      order.slice(0, index + 1).map((name) => [name, name === 'machine' ? { X: name } : new Map([['X', name]])]),
    );
    expect(stepVariables(sources(given), linux)['X']).toBe(source);
  }
});

it('puts added folders before the path of the machine', () => {
  expect(stepVariables(sources({ machine: { PATH: '/bin' }, path: ['/b', '/a'] }), linux)['PATH']).toBe('/b:/a:/bin');
});

it('puts added folders before a path that the step sets', () => {
  const given = sources({ machine: { PATH: '/bin' }, step: new Map([['PATH', '/own']]), path: ['/a'] });
  expect(stepVariables(given, linux)['PATH']).toBe('/a:/own');
});

it('falls back to the default path of the environment', () => {
  expect(stepVariables(sources({}), linux)['PATH']).toBe('/usr/bin:/bin');
});

it('keeps names apart that differ in case, where the platform does', () => {
  const given = sources({ machine: { Path: 'x', PATH: '/bin' } });
  expect(stepVariables(given, linux)).toEqual({ Path: 'x', PATH: '/bin' });
});

it('replaces a variable of another spelling on Windows', () => {
  const given = sources({ machine: { Path: 'C:\\a', TEMP: 'x' }, job: new Map([['temp', 'y']]), path: ['C:\\b'] });
  expect(stepVariables(given, windows)).toEqual({ Path: 'C:\\b;C:\\a', temp: 'y' });
});

it('takes a variable named __proto__ as a variable', () => {
  const variables = stepVariables(sources({ job: new Map([['__proto__', 'x']]) }), linux);
  expect(Object.entries(variables)).toContainEqual(['__proto__', 'x']);
});
