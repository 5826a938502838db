// The public types of the contract as one text, for review: whoever changes them changes packages/core/api/v1.d.ts.
//
// node scripts/core-declarations.mjs [--write] [--golden FILE] [--project TSCONFIG]
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = resolve(fileURLToPath(import.meta.url), '..', '..');
const { values } = parseArgs({
  options: {
    write: { type: 'boolean', default: false },
    golden: { type: 'string', default: join(root, 'packages', 'core', 'api', 'v1.d.ts') },
    project: { type: 'string', default: join(root, 'packages', 'core', 'tsconfig.json') },
  },
});

const found = formatted(declarations());
if (values.write) {
  writeFileSync(values.golden, found);
} else {
  const difference = firstDifference(readFileSync(values.golden, 'utf8'), found);
  if (difference !== undefined) {
    console.error(`${relative(root, resolve(values.golden))} is not what the sources of core declare, ${difference}`);
    console.error(
      'expected additions only, unless the major version moves; then run node scripts/core-declarations.mjs --write',
    );
    process.exitCode = 1;
  }
}

/** What the compiler emits for each file, in the order of their names. */
function declarations() {
  const out = mkdtempSync(join(tmpdir(), 'core-declarations-'));
  try {
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const flags = [
      '--composite',
      'false',
      '--incremental',
      'false',
      '--emitDeclarationOnly',
      '--declarationMap',
      'false',
    ];
    execFileSync(
      process.execPath,
      [tsc, '-p', values.project, ...flags, '--tsBuildInfoFile', 'null', '--outDir', out],
      {
        stdio: ['ignore', 'inherit', 'inherit'],
      },
    );
    const files = readdirSync(out)
      .filter((name) => name.endsWith('.d.ts'))
      .toSorted();
    const texts = files.map((name) => ({ name, text: readFileSync(join(out, name), 'utf8') }));
    return texts.map(({ name, text }) => `// ${name}\n\n${standingAlone(text)}\n`).join('\n');
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** In one file nothing is imported. What the index exports stays, as a comment, because a name that goes is a break. */
function standingAlone(text) {
  const withoutImports = text.replaceAll(/^import [^;]*;\n/gm, '').replaceAll(/^export \{\s*\};\n?/gm, '');
  return withoutImports
    .replaceAll(/^export (?:type )?\{[^}]*\} from [^;]*;$/gm, (found) => `// ${found.replaceAll(/\s+/g, ' ')}`)
    .trim();
}

/** As the rest of the repository, so that a formatter's run changes nothing. */
function formatted(text) {
  const biome = join(root, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
  const args = ['format', '--stdin-file-path=packages/core/api/v1.d.ts'];
  return execFileSync(process.execPath, [biome, ...args], { cwd: root, input: text, encoding: 'utf8' });
}

function firstDifference(expected, actual) {
  if (expected === actual) return undefined;
  const before = expected.split('\n');
  const after = actual.split('\n');
  const at = before.findIndex((line, index) => line !== after[index]);
  const line = at < 0 ? before.length : at;
  return `first in line ${line + 1}:\n- ${before[line] ?? ''}\n+ ${after[line] ?? ''}`;
}
