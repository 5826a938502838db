// Checks every package that is published the way npm would publish it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
let failed = false;
for (const name of readdirSync(join(root, 'packages'))) {
  const folder = join(root, 'packages', name);
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (manifest.private === true) continue;
  const missing = ['README.md', 'LICENSE'].filter((file) => !existsSync(join(folder, file)));
  for (const file of missing) console.error(`${manifest.name}: expected ${file}, found none`);
  failed ||= missing.length > 0;
  const { messages } = await publint({ pkgDir: folder, strict: true, pack: 'npm' });
  for (const message of messages) console.error(`${manifest.name}: ${formatMessage(message, manifest)}`);
  failed ||= messages.length > 0;
  console.log(`${manifest.name}: ${messages.length === 0 ? 'fine' : `${messages.length} remarks`}`);
}
process.exit(failed ? 1 : 0);
