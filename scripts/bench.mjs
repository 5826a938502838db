// Runs all benchmarks, or those whose names are given: node scripts/bench.mjs masking builder
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const wanted = process.argv.slice(2);
const files = readdirSync(resolve(root, 'bench')).filter((file) => file.endsWith('.ts'));
const names = files.map((file) => file.replace(/\.ts$/, ''));
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`expected names of benchmarks, found ${unknown.join(', ')}; there are ${names.join(', ')}`);
  process.exit(2);
}
for (const file of files) {
  if (wanted.length > 0 && !wanted.includes(file.replace(/\.ts$/, ''))) continue;
  console.log(`\n== bench/${file}`);
  const ended = spawnSync(process.execPath, ['--conditions=@forgejo-runner/source', `bench/${file}`], {
    cwd: root,
    stdio: 'inherit',
  });
  if (ended.status !== 0) process.exit(ended.status ?? 1);
}
