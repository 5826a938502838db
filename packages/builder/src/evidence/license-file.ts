import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { PackageOrigin } from './package-origins.ts';

const isLicense = /^(?:licen[cs]e|copying|notice|unlicense)(?:[-._].*)?$/i;
const line = '-'.repeat(79);

/**
 * The licences of all that is in a runner, each text once. What somebody who hands a runner on has to hand on with it.
 * `nodeLicense`: that of Node, for executables.
 */
export async function makeLicenseFile(
  origins: readonly PackageOrigin[],
  nodeLicense: { readonly version: string; readonly text: string } | undefined,
): Promise<string> {
  const titles = new Map<string, string[]>();
  for (const { bundled } of origins) {
    const text = await licenseText(bundled.dir);
    const words = text ?? `The package has no text of its licence. It names: ${bundled.license ?? 'none'}`;
    const title = `${bundled.name} ${bundled.version}${bundled.license === undefined ? '' : ` (${bundled.license})`}`;
    titles.set(words, [...new Set([...(titles.get(words) ?? []), title])]);
  }
  if (nodeLicense !== undefined) titles.set(clean(nodeLicense.text), [`Node.js ${nodeLicense.version}`]);
  const parts = [...titles].map(([text, names]) => `${line}\n${names.join('\n')}\n${line}\n\n${text}\n`);
  return `This program contains the following works.\n\n${parts.join('\n')}`;
}

async function licenseText(dir: string): Promise<string | undefined> {
  const names = (await readdir(dir, { withFileTypes: true }))
    .filter((one) => one.isFile() && isLicense.test(one.name))
    .map((one) => one.name)
    .toSorted((a, b) => (a < b ? -1 : 1));
  const texts = await Promise.all(names.map(async (name) => clean(await readFile(path.join(dir, name), 'utf8'))));
  const whole = [...new Set(texts)].filter((text) => text !== '').join('\n\n');
  return whole === '' ? undefined : whole;
}

/** The same text in two packages often differs in nothing but this. */
function clean(text: string): string {
  return text
    .replace(/^\uFEFF/, '')
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(/[\t ]+$/gm, '')
    .replace(/^\n+/, '')
    .trimEnd();
}
