// The lock file names no registry host: mirrors and private registries then work with it as it is.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const { packages } = JSON.parse(readFileSync(resolve(root, 'package-lock.json'), 'utf8'));
const problems = [];
for (const [path, entry] of Object.entries(packages)) {
  if (typeof entry.resolved === 'string' && /^[a-z+]+:\/\//.test(entry.resolved)) {
    problems.push(`${path}: expected no "resolved", found ${entry.resolved}`);
  }
  const isInstalled = path.includes('node_modules/') && entry.link !== true;
  if (isInstalled && entry.integrity === undefined) problems.push(`${path}: expected "integrity", found none`);
}
if (problems.length > 0) {
  console.error(`package-lock.json:\n${problems.join('\n')}\nnext: npm install with the .npmrc of this repository`);
  process.exit(1);
}
console.log(`package-lock.json names no host in ${Object.keys(packages).length} packages`);
