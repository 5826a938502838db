import { availableParallelism } from 'node:os';
import { checkWorkflowRun, loadWorkflowCases, type TempFolder, type WorkflowCase } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltRunner, buildRunner } from './built-runner.ts';
import { isOnPath, pathWithout, runCase } from './run-exec.ts';
import { turnstile } from './turnstile.ts';

const path = process.env['PATH'] ?? '';
// The machine itself has no containers; e2e/docker-workflows.test.ts runs those that need some.
const cases = loadWorkflowCases().filter(({ needs }) => !needs.includes('containers'));
const missing = await missingNeeds();
const pass = turnstile(availableParallelism());
const opened = new AsyncDisposableStack();
let runner: BuiltRunner;
let withoutBash: TempFolder;

beforeAll(async () => {
  runner = opened.use(await buildRunner());
  withoutBash = opened.use(await pathWithout(['bash'], path));
});

afterAll(() => opened.disposeAsync());

describe.concurrent('a built runner, on the machine itself', () => {
  it.for(cases)('$name: $title', async (one, { skip }) => {
    const lacks = one.needs.filter((need) => missing.has(need));
    skip(lacks.length > 0, `needs ${lacks.join(', ')}`);
    expect(await problemsOf(one)).toEqual([]);
  });
});

function problemsOf(one: WorkflowCase): Promise<readonly string[]> {
  return pass(async () => {
    const where = one.needs.includes('no-bash') ? withoutBash.path : path;
    const observed = await runCase(one, { runner: runner.command, backend: 'host', path: where });
    return checkWorkflowRun(one.expect, observed);
  });
}

/** What a machine of a user may lack. In CI everything has to be there but PowerShell, which few images have. */
async function missingNeeds(): Promise<ReadonlySet<string>> {
  const lacking = new Set<string>();
  if (!(await isOnPath('pwsh', path))) lacking.add('pwsh');
  if (process.env['CI'] !== undefined) return lacking;
  for (const name of ['bash', 'python', 'node']) if (!(await isOnPath(name, path))) lacking.add(name);
  if (process.platform === 'win32') lacking.add('posix');
  return lacking;
}
