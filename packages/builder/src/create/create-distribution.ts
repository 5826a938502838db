import path from 'node:path';
import { distributionSchema } from '../manifest/distribution.ts';
import { findInstallation } from '../resolve/installation.ts';
import { quoted, UserError } from '../user-error.ts';
import { fillTemplate } from './template.ts';

/** What to make. */
export interface NewDistributionOptions {
  /** As files of a release will be called, such as `acme-runner`. */
  readonly name: string;
  /** As people read it. Default: `name` in words. */
  readonly title?: string;
  /** Folder for it, not there yet or empty. Default: `name`. */
  readonly dir?: string;
  /** Folder that `dir` is relative to. */
  readonly cwd: string;
}

/** What was made. */
export interface NewDistribution {
  readonly name: string;
  readonly title: string;
  readonly dir: string;
  /** Relative to `dir`. */
  readonly files: readonly string[];
}

/**
 * Makes a folder that a runner can be released from: manifest, files of every archive, workflows that pack and release.
 *
 * @throws UserError `FRB103`, `FRB104`, `FRB602`
 */
export async function createDistribution(options: NewDistributionOptions): Promise<NewDistribution> {
  const { name, cwd, title = suggestedTitle(name), dir = name } = options;
  requireDistributionName(name);
  requireTitle(title);
  const installation = findInstallation();
  const folder = path.resolve(cwd, dir);
  const files = await fillTemplate({
    from: path.join(installation.dir, 'templates', 'distribution'),
    to: folder,
    words: { __NAME__: name, __TITLE__: title, __VERSION__: installation.version },
  });
  return { name, title, dir: folder, files };
}

/** @throws UserError `FRB104` when no release could be called so. */
export function requireDistributionName(name: string): void {
  if (distributionSchema.safeParse({ name }).success) return;
  throw new UserError('FRB104', `expected the name of a distribution, found ${quoted(name)}`, {
    next: 'choose one of a-z, 0-9, "-" and ".", such as acme-runner',
  });
}

/** @throws UserError `FRB104` when it cannot stand where titles stand. */
export function requireTitle(title: string): void {
  // It is written into YAML, JSON and Markdown as it is.
  if (/^[\p{L}\p{N}][\p{L}\p{N} ._'()-]{0,78}[\p{L}\p{N})]$/u.test(title)) return;
  throw new UserError('FRB104', `expected the title of a distribution, found ${quoted(title)}`, {
    next: 'choose one of letters, digits and spaces, such as "Acme Runner"',
  });
}

/** `Acme Runner` for `acme-runner`. */
export function suggestedTitle(name: string): string {
  const words = name.split(/[-.]/).filter((word) => word !== '');
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(' ');
}
