import { expect, it } from 'vitest';
import { type IdentitySource, isGone, ownIdentity, thisMachine } from './process-identity.ts';
import type { ProcessTable } from './process-table.ts';

function machine(rest: Partial<IdentitySource> = {}, running: Readonly<Record<number, string>> = {}): IdentitySource {
  const table: ProcessTable = { list: async () => [], signal: async () => {}, startOf: async (pid) => running[pid] };
  return { table, host: 'h', machineBoot: 'm1', pidNamespace: 'n1', ...rest };
}
const other = { host: 'h', machineBoot: 'm1', pidNamespace: 'n1', pid: 77, started: 's1' };

it.each<[string, IdentitySource, boolean]>([
  ['a process that runs', machine({}, { 77: 's1' }), false],
  ['a process that ended', machine(), true],
  ['a process whose number went to another', machine({}, { 77: 's2' }), true],
  ['a process of before the machine started again', machine({ machineBoot: 'm2' }, { 77: 's1' }), true],
  ['a process of another namespace, of which nobody can tell', machine({ pidNamespace: 'n2' }), false],
  ['a process of another machine, of which nobody can tell', machine({ host: 'i', machineBoot: 'm2' }), false],
])('judges %s', async (_, source, expected) => {
  expect(await isGone(other, source)).toBe(expected);
});

it('knows itself, and that it runs', async () => {
  const own = await ownIdentity(thisMachine());
  expect(own).toMatchObject({
    pid: process.pid,
    host: expect.stringMatching(/./),
    started: expect.stringMatching(/./),
  });
  expect(await isGone(own, thisMachine())).toBe(false);
});
