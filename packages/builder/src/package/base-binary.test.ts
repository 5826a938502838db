import { expect, it } from 'vitest';
import { requireGenerator } from './base-binary.ts';

it('takes Node 26 and newer as they come from nodejs.org', () => {
  expect(() => requireGenerator('26.10.0', { node_shared: false, node_use_lief: true })).not.toThrow();
  expect(() => requireGenerator('28.0.0', {})).not.toThrow();
});

it.each([
  ['24.21.0', {}, 'expected Node 26 as base of an executable, found 24.21.0'],
  ['26.10.0', { node_shared: true }, 'Node 26.10.0 here is built as a shared library or without LIEF'],
  ['26.10.0', { node_use_lief: false }, 'Node 26.10.0 here is built as a shared library or without LIEF'],
])('refuses %s with %j', (version, variables, message) => {
  expect(() => requireGenerator(version, variables)).toThrow(message);
});
