import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { isBackendError } from './errors.ts';
import { formatLabel, type LabelConfiguration, parseLabel } from './label.ts';

type Parts = Pick<LabelConfiguration, 'name' | 'backend' | 'options'>;

function attempt<T>(work: () => T): { readonly value?: T; readonly error?: unknown } {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}

it.each<[string, string, string, Record<string, unknown>]>([
  ['ubuntu', 'ubuntu', 'docker', {}],
  ['ubuntu:docker', 'ubuntu', 'docker', {}],
  ['ubuntu:docker:', 'ubuntu', 'docker', {}],
  ['ubuntu:docker://node:22-bookworm', 'ubuntu', 'docker', { image: 'node:22-bookworm' }],
  ['ubuntu:docker:node:22', 'ubuntu', 'docker', { image: 'node:22' }],
  [
    'ubuntu:docker://registry.example:5000/a/b@sha256:0123',
    'ubuntu',
    'docker',
    { image: 'registry.example:5000/a/b@sha256:0123' },
  ],
  ['shell:host', 'shell', 'host', {}],
  ['deb:lxc://debian:bookworm:docker', 'deb', 'lxc', { image: 'debian:bookworm:docker' }],
  ['a:b:c:d', 'a', 'b', { image: 'c:d' }],
  ['a:b:////c', 'a', 'b', { image: '//c' }],
  ['mac:tart://sequoia?cpu=4&mem=8', 'mac', 'tart', { image: 'sequoia', cpu: '4', mem: '8' }],
  ['x:k8s?image=a', 'x', 'k8s', { image: 'a' }],
  ['x?platform=linux%2Farm64', 'x', 'docker', { platform: 'linux/arm64' }],
  ['x:k?a=1&a=2&b=3&a=4', 'x', 'k', { a: ['1', '2', '4'], b: '3' }],
  ['x:k?a', 'x', 'k', { a: '' }],
  ['x:k?', 'x', 'k', {}],
  ['x:k?a=b+c%20d', 'x', 'k', { a: 'b c d' }],
  ['x:k?a=?:', 'x', 'k', { a: '?:' }],
  ['x:k://what%3F', 'x', 'k', { image: 'what?' }],
  ['x:k://what%3f%253F', 'x', 'k', { image: 'what?%3F' }],
  ['x:k:// spaced ', 'x', 'k', { image: ' spaced ' }],
  ['läbel 😀 with spaces:host', 'läbel 😀 with spaces', 'host', {}],
  [`${'n'.repeat(300)}:host`, 'n'.repeat(300), 'host', {}],
])('reads %j', (text, name, backend, options) => {
  expect(parseLabel(text)).toEqual({ name, backend, options, form: 'string' });
});

it('keeps an option with the name of a property of every object', () => {
  const { options } = parseLabel('x:k?__proto__=1&constructor=2&toString=3');
  expect(Object.entries(options)).toEqual([
    ['__proto__', '1'],
    ['constructor', '2'],
    ['toString', '3'],
  ]);
});

it.each([
  ['', 'expected a name before'],
  ['?x', 'expected a name before'],
  [':host', 'expected a name before'],
  [' a:host', 'without a space at its start or end'],
  ['a :host', 'without a space at its start or end'],
  ['a\t:host', 'without a space at its start or end'],
  ['a:', 'found ""'],
  ['a:Docker', 'found "Docker"'],
  ['a:1k', 'found "1k"'],
  ['a:k s', 'found "k s"'],
  [`a:${'k'.repeat(33)}`, 'expected a backend'],
  ['a:k://b?image=c', '"image" is given twice'],
])('refuses %j', (text, message) => {
  const { error } = attempt(() => parseLabel(text));
  expect(isBackendError(error) && [error.code, error.message, error.details.resource]).toEqual([
    'label',
    expect.stringContaining(message),
    text,
  ]);
});

it('quotes a long label only in part', () => {
  const { error } = attempt(() => parseLabel(`:${'x'.repeat(5000)}`));
  expect(error instanceof Error && error.message.length).toBeLessThan(300);
});

it('writes options in the order of their names, values that are no strings as JSON', () => {
  const options = { zone: 'a', cpu: 4, init: true, image: 'x?y', nested: { a: 1 }, list: ['1', '2'] };
  expect(formatLabel({ name: 'n', backend: 'k', options })).toBe(
    'n:k://x%3Fy?cpu=4&init=true&list=1&list=2&nested=%7B%22a%22%3A1%7D&zone=a',
  );
});

it.each([
  ['a:b', 'k'],
  ['a?b', 'k'],
  ['', 'k'],
  [' a', 'k'],
  ['a', 'K'],
  ['a', ''],
])('does not write what would be read as something else: name %j, backend %j', (name, backend) => {
  const { error } = attempt(() => formatLabel({ name, backend, options: {} }));
  expect(isBackendError(error) && error.code).toBe('label');
});

const anyText = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc
    .array(
      fc.constantFrom('%', '3', 'F', 'f', '25', '%3F', '%25', '?', '/', '//', ':', '&', '=', '+', ' ', 'ü', '\0', '\n'),
    )
    .map((parts) => parts.join('')),
);
const wellFormed = anyText.filter((text) => text.isWellFormed());
const name = wellFormed.map((text) => text.replaceAll(/[:?]/g, '').trim()).filter((text) => text !== '');
const backend = fc.stringMatching(/^[a-z][a-z0-9_-]{0,31}$/);
const value = fc.oneof(wellFormed, fc.array(wellFormed, { minLength: 2, maxLength: 4 }));
const options = fc.dictionary(fc.oneof(wellFormed, fc.constantFrom('image', '__proto__', '')), value, {
  noNullPrototype: true,
});

it('reads what it wrote, for any label of strings', () => {
  fc.assert(
    fc.property(fc.record({ name, backend, options }), (label: Parts) => {
      const { form, ...read } = parseLabel(formatLabel(label));
      expect(form).toBe('string');
      // As maps, because `__proto__` may be among them, and the order is not the label's.
      expect({ ...read, options: new Map(Object.entries(read.options)) }).toEqual({
        ...label,
        options: new Map(Object.entries(label.options)),
      });
    }),
    { numRuns: 2000 },
  );
});

it('has one spelling for each label: what is read and written again stays the same', () => {
  fc.assert(
    fc.property(fc.record({ name, backend, options }), (label: Parts) => {
      const text = formatLabel(label);
      expect(formatLabel(parseLabel(text))).toBe(text);
    }),
  );
});

it('never fails on a hostile string but with a label error', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc
      .array(
        fc.constantFrom('a', ':', '?', '=', '&', '%', '%3F', '%ZZ', '\uD800', ' ', '//', '__proto__', 'image', '\0'),
      )
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(hostile, (text) => {
      const { value, error } = attempt(() => parseLabel(text));
      expect(value !== undefined || (isBackendError(error) && error.code === 'label')).toBe(true);
      expect(value === undefined || parseLabel(formatLabel(value)).name === value.name).toBe(true);
    }),
    { numRuns: 1000 },
  );
});
