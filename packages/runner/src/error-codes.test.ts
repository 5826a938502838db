import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readConfig } from './config/load.ts';
import { errorCodes } from './error-codes.ts';

function page(name: string): string {
  return readFileSync(new URL(`../../../docs/reference/${name}`, import.meta.url), 'utf8');
}

it('has a row in the reference for every code, and a code for every row', () => {
  const rows = [...page('errors.md').matchAll(/^\| (FRR\d{3}) \| (.*?) \| (.*) \|$/gm)];
  expect(rows.map(([, code, meaning]) => [code, meaning])).toEqual(Object.entries(errorCodes));
  expect(rows.every(([, , , advice]) => (advice ?? '').length > 10)).toBe(true);
});

it('is quoted rightly on other pages', () => {
  const quotations = [...page('labels.md').matchAll(/^error (FRR\d{3}): (.*)$/gm)];
  expect(quotations.map(([, code, meaning]) => [code, meaning])).toEqual([['FRR203', errorCodes.FRR203]]);
});

it('needs no code for the labels that the reference shows', () => {
  const examples = [...page('labels.md').matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml]) => yaml ?? '');
  const names = examples.map((yaml) => readConfig(yaml, 'labels.md').labels.map((label) => label.name));
  expect(names).toEqual([
    ['debian', 'arm', 'shell'],
    ['freebsd-15', 'shell'],
    ['debian', 'rootless'],
    ['shell', 'debian'],
  ]);
});
