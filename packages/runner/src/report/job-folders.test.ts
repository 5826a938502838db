import { expect, it } from 'vitest';
import { jobId, jobsFolder } from './job-folders.ts';

it('lies in the folder for state of the user', () => {
  expect(jobsFolder({ XDG_STATE_HOME: '/state', HOME: '/home/me' })).toBe('/state/forgejo-runner/jobs');
  expect(jobsFolder({ HOME: '/home/me' })).toBe('/home/me/.local/state/forgejo-runner/jobs');
});

it('names a task of a connection so that people can read it', () => {
  expect(jobId('codeberg', '1234')).toBe('codeberg-1234');
});

it.each([['../../etc'], ['A'], [''], ['..'], ['x'.repeat(300)], ['ä/ö\0'], ['a b'], ['con.']])(
  'makes a safe name of its own for the connection %j',
  (connection) => {
    expect(jobId(connection, '1')).toMatch(/^[a-z0-9][a-z0-9-]{0,60}-1$/);
    expect(jobId(connection, '1')).toBe(jobId(connection, '1'));
  },
);

it('never gives two connections one name', () => {
  const names = ['a-b', 'a b', 'A-B', 'a--b', 'a-b-'].map((connection) => jobId(connection, '1'));
  expect(new Set(names).size).toBe(names.length);
});
