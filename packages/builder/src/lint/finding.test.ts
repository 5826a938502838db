import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { rules } from './finding.ts';

const page = readFileSync(new URL('../../../../docs/backends/package-checks.md', import.meta.url), 'utf8');

it('has a row in the reference for every rule, and a rule for every row', () => {
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \| (.*?) \|/gm)].map((row) => [row[1], row[2]?.replaceAll('`', '')]);
  expect(rows).toEqual(Object.entries(rules));
});
