import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';

const script = path.resolve(import.meta.dirname, '..', '..', '..', 'scripts', 'core-declarations.mjs');
const golden = path.resolve(import.meta.dirname, '..', 'api', 'v1.d.ts');
const folder = mkdtempSync(path.join(tmpdir(), 'declarations-'));

afterAll(() => rmSync(folder, { recursive: true }));

function compare(...args: string[]): { readonly status: number | null; readonly stderr: string } {
  const { status, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
  return { status, stderr };
}

it('declares what was agreed on', () => {
  expect(compare()).toEqual({ status: 0, stderr: '' });
});

it('notices a member that went, and says where', () => {
  const other = path.join(folder, 'v1.d.ts');
  const text = readFileSync(golden, 'utf8');
  expect(text).toContain('readonly freeSlots?: number;');
  writeFileSync(
    other,
    text.replace('readonly freeSlots?: number;', 'readonly freeSlots?: number;\n  readonly gone: string;'),
  );
  const { status, stderr } = compare('--golden', other);
  expect([status, stderr]).toEqual([1, expect.stringContaining('-   readonly gone: string;')]);
});
