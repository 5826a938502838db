// What `npm run demo` does: the three commands of the README on a fresh clone, with a word on each.
import { spawnSync } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { styleText } from 'node:util';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

say('Build the packages of this repository (once)');
run('turbo', ['run', 'build', '--output-logs=errors-only']);

say('1. Build a runner from backend packages; without --with it has the backends that we ship');
run('node', ['packages/builder/bin/forgejo-runner-build.mjs', '--output', 'forgejo-runner.mjs']);

say('2. Ask the runner what is inside');
run('node', ['forgejo-runner.mjs', 'list-backends']);

say('3. Run a workflow with it, here on this machine: the label "linux" is served by the backend "host"');
run('node', [
  'forgejo-runner.mjs',
  'exec',
  '--workflows',
  'examples/workflows/demo.yml',
  '--platform',
  'linux=host',
  '--secret',
  'DEMO_TOKEN=correct-horse-battery',
]);

say('That is all. Next: your own workflow with exec, your own backend with forgejo-runner-build --with; see README.md');

function say(text) {
  console.log(`\n${styleText('bold', text)}`);
}

function run(command, args) {
  const shown = [command === 'turbo' ? 'npx turbo' : command, ...args].join(' ');
  console.log(styleText('dim', `$ ${shown}`));
  const ended = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' },
  });
  if (ended.error !== undefined) throw ended.error;
  if (ended.status !== 0) {
    console.error(`\n${command} ended with ${ended.status ?? ended.signal}`);
    process.exit(ended.status ?? 1);
  }
}
