import { expect, it } from 'vitest';
import type { Value } from '../expressions/values.ts';
import { chooseLabel } from './choose-label.ts';
import type { LabelLookup, ServedLabel } from './planned-job.ts';

const at = { file: 'w.yml', line: 4, column: 14 };
// Only the name is looked at.
const served = (name: string): ServedLabel => ({ configuration: { name } }) as unknown as ServedLabel;
const labels: LabelLookup = {
  get: (name) => (['debian', 'mac'].includes(name) ? served(name) : undefined),
  names: () => ['mac', 'debian'],
};

it.each<[string, Value, string]>([
  ['a name', 'debian', 'debian'],
  ['the first of a list that is served', ['self-hosted', 'mac', 'debian'], 'mac'],
  ['a mapping of labels', new Map<string, Value>([['labels', ['x', 'debian']]]), 'debian'],
  ['one label in a mapping', new Map<string, Value>([['labels', 'mac']]), 'mac'],
  [
    'labels of a mapping before its group',
    new Map<string, Value>([
      ['group', 'debian'],
      ['labels', ['mac']],
    ]),
    'mac',
  ],
  ['the group as a label', new Map<string, Value>([['group', 'debian']]), 'debian'],
])('chooses %s', (_, runsOn, name) => {
  expect(chooseLabel(runsOn, at, labels).configuration.name).toBe(name);
});

it('says what was asked for and what there is', () => {
  expect(() => chooseLabel(['ubuntu', 'x"y'], at, labels)).toThrow(
    'w.yml:4:14: expected a label of this runner in runs-on, found "ubuntu", "x\\"y"; this runner has "debian", "mac"',
  );
});

it.each<[string, Value]>([
  ['a number', 7],
  ['nothing', null],
  ['a list of lists', [['debian']]],
])('refuses %s', (_, runsOn) => {
  expect(() => chooseLabel(runsOn, at, labels)).toThrow('expected runs-on to be a name, a list of names or a mapping');
});
