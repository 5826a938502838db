import { expect, it } from 'vitest';
import { detectEvent } from './detect-event.ts';

const at = { file: 'ci.yml', line: 1, column: 1 };

function workflows(...lists: string[][]) {
  return lists.map((events) => ({ on: events.map((event) => ({ event, at })) }));
}

it.each([
  ['the only event', [['schedule']], { detectEvent: false }, 'schedule'],
  ['the only event of several workflows', [['schedule'], ['schedule']], { detectEvent: false }, 'schedule'],
  ['push among several', [['schedule', 'push'], ['issues']], { detectEvent: false }, 'push'],
  ['push although several others', [['schedule'], ['issues']], { detectEvent: false }, 'push'],
  ['the first by name', [['schedule', 'push'], ['issues']], { detectEvent: true }, 'issues'],
  ['the only event beside calls', [['schedule'], ['workflow_call']], { detectEvent: false }, 'schedule'],
  ['the first by name beside calls', [['workflow_call', 'zebra'], ['yak']], { detectEvent: true }, 'yak'],
  ['a call where there is nothing else', [['workflow_call']], { detectEvent: false }, 'workflow_call'],
  ['push without workflows', [], { detectEvent: true }, 'push'],
  ['what was asked for', [['schedule', 'push']], { detectEvent: true, event: 'schedule' }, 'schedule'],
])('takes %s', (_, lists, choice, expected) => {
  expect(detectEvent(workflows(...lists), choice)).toBe(expected);
});

it('says which events there are when it is asked for another', () => {
  const choice = { detectEvent: false, event: 'shedule' };
  expect(() => detectEvent(workflows(['schedule'], ['push']), choice)).toThrow(
    expect.objectContaining({
      code: 'FRR305',
      message: 'expected an event that a workflow names, found "shedule"; did you mean "schedule"',
      next: 'choose one of push, schedule',
    }),
  );
  expect(() => detectEvent([], choice)).toThrow('found none with an event');
});
