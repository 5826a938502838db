import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import { hasTerminal, onTerminal } from './on-terminal.ts';
import { fixture, openWorkplace, type Workplace, withFixtureRunner } from './run-builder.ts';

/** Builds on a terminal, and returns the last picture that it shows. */
async function build(
  workplace: Workplace,
  ...args: readonly string[]
): Promise<{ code: number | null; lines: string[] }> {
  const { code, stdout } = await onTerminal(workplace.command(...withFixtureRunner, ...args));
  // The last picture follows the last synchronised update.
  const picture = stdout.slice(stdout.lastIndexOf('\u001b[?2026l'));
  const lines = stripVTControlCharacters(picture).split(/\r?\n/);
  return { code, lines: lines.filter((line) => line.trim() !== '') };
}

it.runIf(hasTerminal())('shows on a terminal what is done, what failed and what was not reached', async () => {
  await using workplace = await openWorkplace();
  const good = await build(workplace, '--with', fixture('good'));
  expect(good.lines.map((line) => line.replace(/:.*/, ''))).toEqual([
    '✔ Resolve packages',
    '✔ Check and bundle',
    '  ✔ Check types against the API',
    '  ✔ Write the entry',
    '  ✔ Bundle',
    '✔ Start the result in an empty environment',
    '✔ Write the output',
    expect.stringMatching(/^built .*forgejo-runner\.mjs \(\d+ KiB\) in [\d.]+ s, executed here$/) as string,
    '  @acme/backend-good 1.0.0 is a local folder',
    '  @forgejo-runner/core 1.0.0 is a local folder',
    '  @forgejo-runner/runner 1.0.0 is a local folder',
  ]);
  expect(good.code).toBe(0);
  const bad = await build(workplace, '--with', fixture('plain-any'));
  expect(bad.lines).toContain('  ✖ Check types against the API');
  expect(bad.lines).toContain('◼ Write the output');
  expect(bad.lines.at(-2)).toBe('FRB406 @acme/backend-plain-any@1.0.0: types cannot be checked: factory is any');
  expect(bad.code).toBe(4);
});

it('writes plain lines without colours into a pipe', async () => {
  await using workplace = await openWorkplace();
  const { stdout, stderr } = await workplace.build(...withFixtureRunner, '--with', fixture('good'));
  expect(`${stdout}${stderr}`).toBe(stripVTControlCharacters(`${stdout}${stderr}`));
  expect(stderr.trim().split('\n')).toHaveLength(6);
});

it('writes an event a line for machines, with the time of each step', async () => {
  await using workplace = await openWorkplace();
  const { stdout, stderr } = await workplace.build(
    ...withFixtureRunner,
    '--with',
    fixture('good'),
    '--log-format=json',
  );
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; step?: string; ms?: number });
  expect(
    events
      .filter(({ event }) => event === 'step-finished')
      .map(({ step }) => String(step))
      .toSorted((a, b) => (a < b ? -1 : 1)),
  ).toEqual(['bundle', 'check', 'entry', 'resolve', 'smoke', 'write']);
  expect(events.filter(({ event }) => event === 'step-finished').every(({ ms }) => Number.isInteger(ms))).toBe(true);
  expect(events.at(-1)).toMatchObject({ event: 'built', buildInfo: { schema: 1 } });
  expect(stderr).toBe('');
});
