import { expect, it } from 'vitest';
import { type FakeIo, fakeIo } from '../../test/fake-io.ts';
import { askSecrets } from './ask-secret.ts';

/** A terminal that records when it was in raw mode. */
function terminal(env: Record<string, string> = {}): FakeIo & { readonly raw: boolean[] } {
  const raw: boolean[] = [];
  const fake = fakeIo({ env });
  Object.assign(fake.stdin, { isTTY: true, setRawMode: (on: boolean) => raw.push(on) });
  return { ...fake, raw };
}

it('takes values from the flag, then from the environment, under upper-case names', async () => {
  const { io } = fakeIo({ env: { token: 'from lower', OTHER: 'from upper', given: 'not this' } });
  expect(await askSecrets(['a=1', 'B=x=y=', 'C=', 'token', 'other', 'given=flag'], io)).toEqual(
    new Map([
      ['A', '1'],
      ['B', 'x=y='],
      ['C', ''],
      ['TOKEN', 'from lower'],
      ['OTHER', 'from upper'],
      ['GIVEN', 'flag'],
    ]),
  );
});

it.each([
  ['hunter2\r', 'hunter2'],
  ['hunter2\n', 'hunter2'],
  ['hunter\u007f\b2\n', 'hunt2'],
  ['wrong\u0015right\n', 'right'],
  ['\u007fx\n', 'x'],
  ['end\u0004', 'end'],
  ['pässword\n', 'pässword'],
])('asks for what it lacks: %j', async (typed, value) => {
  const { io, stdin, stderr, raw } = terminal();
  stdin.write(typed);
  expect(await askSecrets(['TOKEN'], io)).toEqual(new Map([['TOKEN', value]]));
  expect(stderr()).toBe('Value of the secret TOKEN (not shown): \n');
  expect(raw).toEqual([true, false]);
});

it('asks for one after the other', async () => {
  const { io, stdin, stderr } = terminal();
  stdin.write('first\n');
  const asked = askSecrets(['A', 'B'], io);
  await expect.poll(stderr).toContain('secret B');
  stdin.write('second\n');
  expect(await asked).toEqual(
    new Map([
      ['A', 'first'],
      ['B', 'second'],
    ]),
  );
});

it('keeps what was pasted for the next secret, also in pieces of characters', async () => {
  const { io, stdin } = terminal();
  const bytes = Buffer.from('é\nü\n');
  stdin.write(bytes.subarray(0, 1));
  stdin.write(bytes.subarray(1));
  expect(await askSecrets(['A', 'B'], io)).toEqual(
    new Map([
      ['A', 'é'],
      ['B', 'ü'],
    ]),
  );
});

it('gives the terminal back when it is interrupted', async () => {
  const typed = terminal();
  typed.stdin.write('hunt\u0003');
  await expect(askSecrets(['TOKEN'], typed.io)).rejects.toThrow('interrupted by SIGINT');
  expect(typed.raw).toEqual([true, false]);

  const signalled = terminal();
  const asked = askSecrets(['TOKEN'], signalled.io);
  signalled.interrupt.abort(new Error('stop'));
  await expect(asked).rejects.toThrow('stop');
  expect(signalled.raw).toEqual([true, false]);
});

it('names all that is wrong, and shows nothing that may be a value', async () => {
  const { io } = fakeIo();
  const error = await askSecrets(['A=1', 'a=2', 'hunter-2!', 'MISSING'], io).catch((error: unknown) => error);
  expect(error).toMatchObject({
    code: 'FRR101',
    message:
      'the secret "A" is given twice; names are the same in either case\n' +
      'expected the name of a secret of letters, digits and "_", found something else\n' +
      'expected a value for the secret "MISSING", found no variable of that name and no terminal to ask',
  });
});
