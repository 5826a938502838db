import { readFile } from 'node:fs/promises';
import path from 'node:path';
import validateLicense from 'validate-npm-package-license';
import { z } from 'zod';
import { readPackageField } from '../resolve/package-field.ts';
import { quoted } from '../user-error.ts';
import type { AuthorPackage } from './author-package.ts';
import type { Remark } from './finding.ts';

/** The files of the package that people read. */
export async function checkFiles(subject: AuthorPackage): Promise<readonly Remark[]> {
  return [...checkLicense(subject), ...(await checkReadme(subject))];
}

function checkLicense({ json, topFiles }: AuthorPackage): readonly Remark[] {
  const remarks: Remark[] = [];
  const { license } = json;
  if (typeof license !== 'string' || !validateLicense(license).validForNewPackages) {
    const found = license === undefined ? 'nothing' : JSON.stringify(license).slice(0, 200);
    remarks.push({
      rule: 'license',
      severity: 'error',
      message: `expected an SPDX licence expression such as "MIT", found ${found}`,
      next: 'name the licence in "license"; builders may refuse packages without one',
      at: ['license'],
    });
  }
  if (!topFiles.some((name) => /^(?:licen[cs]e|copying)(?:\.|$)/i.test(name))) {
    remarks.push({
      rule: 'license',
      severity: 'warning',
      message: 'expected the text of the licence in a file LICENSE, found none',
      next: 'add it: it is put into the licences of each runner that is built',
    });
  }
  return remarks;
}

async function checkReadme({ dir, topFiles, json }: AuthorPackage): Promise<readonly Remark[]> {
  const name = topFiles.find((file) => /^readme(?:\.|$)/i.test(file));
  if (name === undefined) {
    return [
      {
        rule: 'readme',
        severity: 'error',
        message: 'expected a README.md, found none',
        next: 'write what jobs run in, what a machine needs for it, its options, and an example of a label',
      },
    ];
  }
  const text = await readFile(path.join(dir, name), 'utf8');
  const missing = [json.name, ...idsOf(json)].filter((word) => !text.includes(word));
  return missing.map((word) => ({
    rule: 'readme',
    severity: 'warning',
    message: `expected the README to name ${quoted(word)}, found it nowhere in it`,
    next: 'show the command that builds it in, and a label for each backend',
    where: path.join(dir, name),
  }));
}

function idsOf({ forgejoRunner, name }: AuthorPackage['json']): readonly string[] {
  try {
    return readPackageField(forgejoRunner, name).backends;
  } catch {
    // Another rule tells what is wrong with it.
    return [];
  }
}

const packed = z
  .array(z.object({ files: z.array(z.object({ path: z.string() })), size: z.number() }))
  .transform(([first]) => first);

/** What npm would publish. */
export interface PublishedFiles {
  readonly paths: readonly string[];
  readonly bytes: number;
}

/** Reads the answer of `npm pack --dry-run --json`. Undefined when it is none. */
export function readPublished(answer: unknown): PublishedFiles | undefined {
  const read = packed.safeParse(answer);
  if (!read.success || read.data === undefined) return undefined;
  return { paths: read.data.files.map((file) => file.path), bytes: read.data.size };
}

const secretNames = [
  /^\.env(?:\..*)?$/,
  /^\.(?:npmrc|yarnrc\.yml|netrc|pypirc|git-credentials)$/,
  /^id_(?:rsa|dsa|ecdsa|ed25519)$/,
  /\.(?:pem|key|p12|pfx|jks|keystore)$/,
];

/** Files that would be published and that nobody publishes on purpose. */
export function checkSecrets(published: PublishedFiles | undefined): readonly Remark[] {
  const found = (published?.paths ?? []).filter((file) =>
    secretNames.some((pattern) => pattern.test(path.posix.basename(file))),
  );
  return found.map((file) => ({
    rule: 'secrets',
    severity: 'error',
    message: `expected nothing secret among what is published, found ${quoted(file)}`,
    next: 'name in "files" what is to be published, such as ["dist"]',
    at: ['files'],
  }));
}
