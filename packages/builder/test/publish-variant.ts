import { cp, readFile, writeFile } from 'node:fs/promises';
import { type LocalRegistry, openTempFolder } from '@forgejo-runner/testkit';
import { fixture } from './run-builder.ts';

/** Publishes a fixture with other values in its package.json. */
export async function publishVariant(registry: LocalRegistry, name: string, change: object = {}): Promise<void> {
  await using copy = await openTempFolder();
  await cp(fixture(name), copy.path, { recursive: true });
  const file = copy.join('package.json');
  const packageJson = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...packageJson, ...change }));
  await registry.publish(copy.path);
}
