import { expect, it } from 'vitest';
import { addToManifest, newManifest, removeFromManifest } from './edit-manifest.ts';
import { readManifest } from './read-manifest.ts';

const text = `# mine
with:
  - a@^1 # pinned by Jo
  - ./near
sea: true
`;

it('adds at the end and keeps comments', () => {
  expect(addToManifest(text, ['b', '@acme/c=./c'], '/x')).toBe(`# mine
with:
  - a@^1 # pinned by Jo
  - ./near
  - b
  - "@acme/c=./c"
sea: true
`);
});

it.each([
  [
    'a package that is there gets its new version',
    (t: string) => addToManifest(t, ['a@^2'], '/x'),
    ['a@^2', './near'],
    undefined,
  ],
  ['the same twice changes nothing', (t: string) => addToManifest(t, ['./near'], '/x'), ['a@^1', './near'], undefined],
  ['a package goes by its name', (t: string) => removeFromManifest(t, ['a'], '/x'), ['./near'], undefined],
  ['a folder goes by its path', (t: string) => removeFromManifest(t, ['./near'], '/x'), ['a@^1'], undefined],
  ['the last one leaves no list', (t: string) => removeFromManifest(t, ['a', './near'], '/x'), undefined, undefined],
  ['a default backend is left out', (t: string) => removeFromManifest(t, ['host'], '/x'), ['a@^1', './near'], ['host']],
  [
    'a default backend comes back',
    (t: string) => addToManifest(removeFromManifest(t, ['host'], '/x'), ['host'], '/x'),
    ['a@^1', './near'],
    undefined,
  ],
] as const)('%s', (_, change, packages, without) => {
  const { written } = readManifest(change(text), 'm');
  expect([written.with, written.without]).toEqual([packages, without]);
});

it('says what is there when something is to be removed that is not', () => {
  expect(() => removeFromManifest('with: ["@acme/backend-k8s@^2"]\n', ['@acme/backend-k8'], '/x')).toThrow(
    expect.objectContaining({
      code: 'FRB207',
      message: '"@acme/backend-k8" is not in the manifest; it has @acme/backend-k8s',
      next: 'did you mean @acme/backend-k8s?',
    }) as Error,
  );
});

it('writes a new one that can be added to', () => {
  const empty = newManifest({});
  expect(readManifest(empty, 'm').written).toEqual({ with: [] });
  const one = addToManifest(empty, ['a'], '/x');
  expect(one).toMatch(/^# What this runner is made of.*\n# yaml-language-server: .*\n\nwith:\n {2}- a\n$/);
  expect(readManifest(newManifest({ with: ['a'], sea: true }), 'm').written).toEqual({ with: ['a'], sea: true });
});
