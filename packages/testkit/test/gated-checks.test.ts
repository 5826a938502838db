import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type CheckId,
  type ConformanceOptions,
  openTempFolder,
  runConformance,
  type TempFolder,
} from '../src/index.ts';
import { impatient } from './mutants.ts';
import { endpointSubject, pluginSubject, registrySubject } from './platform-subjects.ts';
import { referenceSubject } from './reference-subject.ts';
import { windowsSubject } from './windows-stand-in.ts';

let folder: TempFolder;
beforeAll(async () => {
  folder = await openTempFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

type Case = readonly [does: string, finding: RegExp | undefined, subject: () => ConformanceOptions];

/** What one check says, without the reason, and the reason. */
async function judged(
  id: CheckId,
  subject: ConformanceOptions,
): Promise<{ readonly status?: string; readonly reason: string }> {
  const { checks } = await runConformance(subject, { only: [id] });
  const [{ status, reason = '' } = {}] = checks;
  return { ...(status === undefined ? {} : { status }), reason };
}

const peers = (outcome: 'works' | 'config', config: object) => (): ConformanceOptions => {
  return { ...referenceSubject(), peers: [{ name: 'an end', config, outcome }] };
};

const cases: Readonly<Record<string, readonly Case[]>> = {
  C12: [
    ['asks for a password', undefined, registrySubject],
    ['takes any password', /expected a BackendError "auth"/, () => registrySubject({ takesAnyPassword: true })],
    ['logs passwords', /expected no password/, () => registrySubject({ logsPassword: true })],
  ],
  C67: [
    ['takes its endpoint away', undefined, () => endpointSubject(folder, {})],
    ['takes its endpoint with keys away', undefined, () => endpointSubject(folder, { hasTls: true })],
    ['leaves its endpoint', /not to answer/, () => endpointSubject(folder, { staysAfterRemove: true })],
    ['hands one key to all', /a key of its own/, () => endpointSubject(folder, { hasTls: true, sharesKeys: true })],
  ],
  C85: [
    ['tells that its plugin was killed', undefined, pluginSubject],
    ['calls the end of its plugin a success', /"lost"/, () => pluginSubject({ callsLostSuccess: true })],
    ['never finds its plugin again', /connection refused/, () => pluginSubject({ neverComesBack: true })],
  ],
  C86: [
    ['works with another end', undefined, peers('works', {})],
    ['works with one that it should refuse', /"config"/, peers('config', {})],
    ['refuses one that it should work with', /expected that it works/, peers('works', { unknown: 'key' })],
  ],
  C95: [
    ['is a Windows', undefined, windowsSubject],
    ['separates paths by colons', /pathSeparator/, () => windowsSubject({ separator: ':' })],
    ['has two search paths', /search paths/, () => windowsSubject({ keepsTwoPaths: true })],
    ['tells exit codes with a sign', /0xC000013A/, () => windowsSubject({ exitsSigned: true })],
    ['loses line ends', /line ends/, () => windowsSubject({ losesLineEnds: true })],
  ],
};

const all = Object.entries(cases).flatMap(([id, of]) => of.map((one) => [id, ...one] as const));

// Beside each other: those that hang are found by waiting.
it.concurrent.for(all)('%s judges a backend that %s', async ([id, , finding, subject]) => {
  // The keys of the table are numbers of checks.
  const { status, reason } = await judged(id as CheckId, subject());
  expect([status, reason]).toEqual([
    finding === undefined ? 'passed' : 'failed',
    expect.stringMatching(finding ?? /^$/),
  ]);
});

// Alone: the clock of this process jumps.
it(`${impatient.caughtBy} catches a backend that ${impatient.does}`, async () => {
  const { status, reason } = await judged(impatient.caughtBy, impatient.subject());
  expect([status, reason]).toEqual(['failed', expect.stringMatching(impatient.finding)]);
});
