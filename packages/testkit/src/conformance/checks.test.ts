import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { checks } from './checks.ts';

const page = resolve(import.meta.dirname, '..', '..', '..', '..', 'docs', 'backends', 'conformance.md');

it('has a number of its own for each check', () => {
  expect(checks.map(({ id }) => id)).toEqual([...new Set(checks.map(({ id }) => id))]);
  for (const { id } of checks) expect(id).toMatch(/^C\d\d$/);
});

it('is what the page for authors says', () => {
  const rows = readFileSync(page, 'utf8')
    .split('\n')
    .filter((line) => /^\| C\d/.test(line));
  const expected = checks.map(({ id, title, lane = 'quick', gate, needs }) => {
    const all = [...(gate === undefined ? [] : [`claims ${gate.name}`]), ...(needs === undefined ? [] : [needs])];
    return `| ${id} | ${title} | ${lane} | ${all.join('; ')} |`;
  });
  expect(rows).toEqual(expected);
});
