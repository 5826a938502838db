import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { forgetful } from './mutants.ts';

const script = `
import { runConformance } from ${JSON.stringify(join(import.meta.dirname, '../src/index.ts'))};
import { forgetful } from ${JSON.stringify(join(import.meta.dirname, 'mutants.ts'))};
const verdict = await runConformance(forgetful.subject(), { only: [forgetful.caughtBy] });
console.log(JSON.stringify(verdict.checks[0]));
`;

it('survives an error that a backend forgets, and tells it', () => {
  const flags = ['--conditions=@forgejo-runner/source', '--input-type=module-typescript', '--eval', script];
  const printed = execFileSync(process.execPath, flags, { encoding: 'utf8' });
  const reason = 'an error that nobody handled: Error: the pipe';
  expect(JSON.parse(printed)).toMatchObject({ id: forgetful.caughtBy, status: 'failed', reason });
});
