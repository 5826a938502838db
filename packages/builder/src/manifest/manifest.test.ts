import { expect, it } from 'vitest';
import { manifestFromFlags } from './manifest.ts';

const cwd = '/home/me';
const names = (flags: Parameters<typeof manifestFromFlags>[0]): unknown[] =>
  manifestFromFlags(flags, cwd, '1.2.3').backends.map((spec) => spec.text);

it('has the default backends at the version of the builder', () => {
  expect(names({})).toEqual(['@forgejo-runner/backend-host@1.2.3']);
});

it('keeps the order of what was asked for, after the defaults', () => {
  expect(names({ with: ['b', './a'] })).toEqual(['@forgejo-runner/backend-host@1.2.3', 'b', './a']);
});

it.each(['host', '@forgejo-runner/backend-host'])('leaves out %s', (name) => {
  expect(names({ without: [name], with: ['b'] })).toEqual(['b']);
});

it('takes a default backend from elsewhere when it is asked for by name', () => {
  expect(names({ with: ['@forgejo-runner/backend-host=./mine'] })).toEqual(['@forgejo-runner/backend-host=./mine']);
});

it('refuses to leave out what is no default', () => {
  expect(() => names({ without: ['constructor'] })).toThrow(
    '--without "constructor": expected one of host, found a name that is no default backend',
  );
});

it('gathers the rest', () => {
  const manifest = manifestFromFlags(
    { replace: ['zod=./zod'], allowUntyped: ['a'], native: ['b=stub'], strict: true },
    cwd,
    '1.0.0',
  );
  expect(manifest.replacements).toEqual(new Map([['zod', '/home/me/zod']]));
  expect([...manifest.allowUntyped, ...manifest.native, manifest.isStrict]).toEqual(['a', ['b', 'stub'], true]);
});
