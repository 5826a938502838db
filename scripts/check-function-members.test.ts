import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';

const here = import.meta.dirname;

function check(...args: string[]): { readonly status: number | null; readonly problems: string[] } {
  const run = spawnSync(process.execPath, [path.join(here, 'check-function-members.mjs'), ...args], {
    encoding: 'utf8',
  });
  return { status: run.status, problems: run.stderr.split('\n').filter((line) => line !== '') };
}

it('finds nothing in the contract', () => {
  expect(check()).toEqual({ status: 0, problems: [] });
});

const wrong = `export interface Wrong {
  readonly right: (value: string) => void;
  method(value: string): void;
  readonly nested: { inner?(value: string): void };
  settable: string;
  get accessor(): string;
  readonly optional?: () => void;
}
export type Alias = { method(): void } | { readonly fine: () => void };
interface Internal {
  mayBeSet: string;
}
`;

it('finds methods, accessors and what can be set, and nothing else', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'members-'));
  writeFileSync(path.join(folder, 'wrong.ts'), wrong);
  writeFileSync(path.join(folder, 'a.test.ts'), wrong);
  const { status, problems } = check(folder);
  rmSync(folder, { recursive: true });
  expect([status, ...problems.map((line) => line.slice(line.indexOf('wrong.ts')))]).toEqual([
    1,
    'wrong.ts:3: method: expected a readonly property of function type, found a method',
    'wrong.ts:5: settable: expected a readonly property, found one that can be set',
    'wrong.ts:6: accessor: expected a readonly property, found an accessor',
    'wrong.ts:4: inner: expected a readonly property of function type, found a method',
    'wrong.ts:9: method: expected a readonly property of function type, found a method',
  ]);
});

it('does not pass when there is nothing to look at', () => {
  const empty = mkdtempSync(path.join(tmpdir(), 'empty-'));
  expect(check(empty)).toEqual({ status: 1, problems: [expect.stringContaining('would prove nothing')] });
  rmSync(empty, { recursive: true });
});
