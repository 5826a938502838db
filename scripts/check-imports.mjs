// Who may import whom, as CONTRIBUTING says. Each rule is about a folder; paths are relative to the repository.
import { globSync, readFileSync } from 'node:fs';
import { dirname, posix, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Packages of this repository that a package may import. */
const packages = {
  core: [],
  kit: ['core'],
  protocol: [],
  testkit: ['core', 'kit', 'protocol'],
  runner: ['core', 'kit', 'protocol'],
  builder: ['core'],
};
const ofBackends = ['core', 'kit'];

/** Rooms of the runner, lowest first: a room imports from rooms before it, and from its own row. */
const rooms = [
  ['user-error.ts', 'error-codes.ts', 'build-info.ts', 'runner-version.ts', 'io.ts', 'shown-path.ts', 'trace.ts'],
  ['workflow', 'expressions'],
  ['log', 'report/job-report.ts'],
  ['task'],
  // The strict check knows contexts, the order of jobs, and how steps read words, which the model below does not.
  [
    'contexts',
    'graph',
    'workflow/strict-check.ts',
    'workflow/check-expressions.ts',
    'workflow/check-values.ts',
    'steps/shells.ts',
    'steps/actions/action-reference.ts',
  ],
  // Reads the matrix of a task, which the type above need not know.
  ['task/decode-task.ts'],
  ['plan', 'environment'],
  ['steps', 'report', 'job'],
  ['config'],
  ['cache'],
  ['forgejo'],
  ['poll'],
  ['local', 'daemon'],
  ['cli', 'main.ts', 'index.ts'],
];

/** Rooms that touch no network, disk, clock or environment variable. */
const pure = ['workflow', 'expressions', 'plan', 'contexts'];

const problems = [];
for (const path of globSync('packages/*/src/**/*.ts', { cwd: root })) {
  const file = path.split(sep).join('/');
  if (file.endsWith('.test.ts') || file.endsWith('.d.ts')) continue;
  const [, owner] = file.split('/');
  const text = readFileSync(resolve(root, path), 'utf8');
  for (const [, isType, specifier] of text.matchAll(
    /^(?:import|export)( type)?\b[^'"]*?from '([^']+)'|^import '([^']+)'/gm,
  )) {
    if (specifier === undefined) continue;
    checkPackage(file, owner, specifier);
    if (owner === 'runner') checkRoom(file, specifier, isType !== undefined);
  }
  const room = file.split('/')[3];
  if (owner === 'runner' && pure.includes(room)) checkPure(file, text);
}
if (problems.length > 0) {
  console.error(`${problems.join('\n')}\nnext: see "Who imports whom" in CONTRIBUTING.md`);
  process.exit(1);
}
console.log('imports keep to the layers');

function checkPackage(file, owner, specifier) {
  const imported = /^@forgejo-runner\/([^/]+)/.exec(specifier)?.[1];
  if (imported === undefined || imported === owner) return;
  const allowed = owner.startsWith('backend-') ? ofBackends : (packages[owner] ?? []);
  if (!allowed.includes(imported)) problems.push(`${file}: ${owner} must not import ${specifier}`);
}

function checkRoom(file, specifier, isType) {
  if (!specifier.startsWith('.')) return;
  const from = relativeToSource(file);
  const to = relativeToSource(posix.join(posix.dirname(file), specifier));
  const [low, high] = [rowOf(to), rowOf(from)];
  if (low < 0 || high < 0) problems.push(`${file}: no room is known for ${low < 0 ? to : from}`);
  // A type does not run: rooms that hand each other on may name each other's types.
  else if (low > high && !isType) problems.push(`${file}: must not import ${specifier}, which lies above it`);
}

function relativeToSource(file) {
  return relative('packages/runner/src', file).split(sep).join('/');
}

function rowOf(path) {
  const exact = rooms.findIndex((row) => row.includes(path));
  return exact >= 0 ? exact : rooms.findIndex((row) => row.includes(path.split('/')[0]));
}

function checkPure(file, text) {
  const impure = /from 'node:(?!path'|util'|crypto'|buffer')[^']+'|\bDate\.now\(|\bprocess\.|\bfetch\(/.exec(text);
  if (impure !== null) problems.push(`${file}: must touch no network, disk, clock or environment, found ${impure[0]}`);
}
