import { assert, constantFrom, array, property } from 'fast-check';
import { expect, it } from 'vitest';
import { isDenied } from './licenses.ts';

it.each([
  ['MIT', ['GPL-3.0-only'], false],
  ['GPL-3.0-only', ['GPL-3.0-only'], true],
  ['gpl-3.0-ONLY', ['GPL-3.0-only'], true],
  ['GPL-2.0+', ['GPL-2.0'], true],
  ['GPL-2.0-or-later', ['GPL-*'], true],
  ['LGPL-2.1', ['GPL-*'], false],
  ['MIT OR GPL-3.0', ['GPL-*'], false],
  ['(MIT OR GPL-3.0)', ['GPL-*', 'MIT'], true],
  ['MIT AND GPL-3.0', ['GPL-*'], true],
  ['(MIT OR Apache-2.0) AND GPL-3.0', ['GPL-*'], true],
  ['MIT AND (BSD-3-Clause OR GPL-3.0)', ['GPL-*'], false],
  ['GPL-2.0 WITH Classpath-exception-2.0 OR MIT', ['GPL-*'], false],
  ['GPL-2.0 WITH Classpath-exception-2.0', ['GPL-*'], true],
  [undefined, ['GPL-*'], false],
  [undefined, ['none'], true],
  ['SEE LICENSE IN LICENSE.md', ['see license in *'], true],
  ['UNLICENSED', ['UNLICENSED'], true],
])('says of %s with %j denied: %s', (license, denied, expected) => {
  expect(isDenied(license, denied)).toBe(expected);
});

it('reads any text to an end', () => {
  const words = constantFrom('MIT', 'GPL-3.0', 'AND', 'OR', 'WITH', '(', ')', '+');
  assert(
    property(array(words), (parts) => {
      expect(isDenied(parts.join(' '), ['none-of-these'])).toBe(false);
    }),
  );
});
