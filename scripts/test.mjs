// Builds everything, runs every test, and ends with one line of counts. `--nightly` looks for new cases for longer.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const isNightly = process.argv.includes('--nightly');
const filters = process.argv.slice(2).filter((argument) => argument !== '--nightly');

const built = run('turbo', ['run', 'build', '--output-logs=errors-only']);
if (built !== 0) {
  console.error('The build failed; no test was run');
  console.log('0 passed, 1 failed, 0 skipped');
  process.exit(1);
}

const folder = mkdtempSync(join(tmpdir(), 'forgejo-runner-test-'));
const report = join(folder, 'report.json');
const status = run('vitest', [
  'run',
  // A nightly file takes minutes: say each test when it is done.
  `--reporter=${isNightly ? 'verbose' : 'default'}`,
  '--reporter=json',
  `--outputFile.json=${report}`,
  ...filters,
]);
const counts = readCounts(report);
rmSync(folder, { recursive: true });
// Where everything should be there, somebody ought to see what was not tested.
if (process.env['CI'] !== undefined) for (const name of counts.skippedNames) console.log(`skipped: ${name}`);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(status === 0 && counts.failed === 0 ? 0 : 1);

function run(command, args) {
  const ended = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', ...(isNightly ? { FORGEJO_RUNNER_NIGHTLY: '1' } : {}) },
  });
  if (ended.error !== undefined) throw ended.error;
  return ended.status ?? 1;
}

/** A report that is missing means that the test runner itself broke: that is a failure, not an empty run. */
function readCounts(path) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
      readFileSync(path, 'utf8'),
    );
    const brokenFiles = testResults.filter(
      (file) => file.status === 'failed' && file.assertionResults.length === 0,
    ).length;
    return {
      passed: numPassedTests,
      failed: numFailedTests + brokenFiles,
      skipped: numPendingTests + numTodoTests,
      skippedNames: testResults.flatMap(namesOfSkipped),
    };
  } catch {
    return { passed: 0, failed: 1, skipped: 0, skippedNames: [] };
  }
}

function namesOfSkipped({ name, assertionResults }) {
  return assertionResults
    .filter(({ status }) => status !== 'passed' && status !== 'failed')
    .map(({ fullName }) => `${relative(root, name)}: ${fullName}`);
}
