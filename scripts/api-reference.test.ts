import { spawnSync } from 'node:child_process';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { openTempFolder } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';

const script = fileURLToPath(new URL('api-reference.mjs', import.meta.url));
const pages = fileURLToPath(new URL('../docs/backends/api', import.meta.url));

function run(...args: readonly string[]): readonly [number | null, string] {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
  return [status, stdout + stderr];
}

it('says what the docstrings say', () => {
  expect(run()).toEqual([0, '']);
});

it('tells when a page says something else, and writes it anew', async () => {
  await using folder = await openTempFolder();
  await cp(pages, folder.path, { recursive: true });
  const page = folder.join('core.md');
  const right = await readFile(page, 'utf8');
  await writeFile(page, right.replace('byte for byte', 'more or less'));
  expect(run('--out', folder.path)).toEqual([1, expect.stringContaining('is not what the docstrings of core say')]);
  expect(run('--out', folder.path, '--write')[0]).toBe(0);
  expect(await readFile(page, 'utf8')).toBe(right);
});

it('has every name that the contract exports, with what it is', async () => {
  const text = await readFile(`${pages}/core.md`, 'utf8');
  const sections = text.split(/^### /m).slice(1);
  expect(sections.length).toBeGreaterThan(60);
  // A name, words about it, and how it is declared.
  for (const section of sections) expect(section).toMatch(/^\w+\n\n(?!```)\S[^]*?```ts\n/);
});
