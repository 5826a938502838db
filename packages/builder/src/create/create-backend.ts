import path from 'node:path';
import validateName from 'validate-npm-package-name';
import { backendIdPattern } from '../resolve/package-field.ts';
import { findInstallation } from '../resolve/installation.ts';
import { quoted, UserError } from '../user-error.ts';
import { fillTemplate } from './template.ts';

/** What to make. */
export interface NewBackendOptions {
  /** Name of the package, such as `@acme/backend-foo`. */
  readonly name: string;
  /** Id of the backend in labels. Default: what `name` suggests. */
  readonly id?: string;
  /** Folder for it, not there yet or empty. Default: the last part of `name`. */
  readonly dir?: string;
  /** Folder that `dir` is relative to. */
  readonly cwd: string;
}

/** What was made. */
export interface NewBackend {
  readonly name: string;
  readonly id: string;
  readonly dir: string;
  /** Relative to `dir`. */
  readonly files: readonly string[];
}

/**
 * Makes a backend package that works: a small sandbox with its tests, to be changed into what it shall be.
 *
 * @throws UserError `FRB103`, `FRB104`, `FRB602`
 */
export async function createBackend({ name, id, dir, cwd }: NewBackendOptions): Promise<NewBackend> {
  requirePackageName(name);
  const chosenId = id ?? suggestedId(name);
  requireId(chosenId);
  const installation = findInstallation();
  const folder = path.resolve(cwd, dir ?? suggestedDir(name));
  const files = await fillTemplate({
    from: path.join(installation.dir, 'templates', 'backend'),
    to: folder,
    words: {
      __NAME__: name,
      __ID__: chosenId,
      __VERSION__: installation.version,
      __YEAR__: String(new Date().getFullYear()),
    },
  });
  return { name, id: chosenId, dir: folder, files };
}

/** @throws UserError `FRB104` when npm would not take the name of a new package. */
export function requirePackageName(name: string): void {
  const { validForNewPackages, errors = [], warnings = [] } = validateName(name);
  if (validForNewPackages) return;
  throw new UserError(
    'FRB104',
    `expected the name of an npm package, found ${quoted(name)}: ${[...errors, ...warnings].join('; ')}`,
    {
      next: 'choose a name such as @acme/backend-foo',
    },
  );
}

/** @throws UserError `FRB104` when it is no id of a backend. */
export function requireId(id: string): void {
  if (backendIdPattern.test(id)) return;
  throw new UserError('FRB104', `expected the id of a backend, found ${quoted(id)}`, {
    next: 'choose one with --id: a letter of a-z, then up to 31 of a-z, 0-9, - and _',
  });
}

/** `foo` for `@acme/backend-foo`, `forgejo-runner-backend-foo` and `@acme/foo`. */
export function suggestedId(name: string): string {
  const last = suggestedDir(name);
  return last.replace(/^(?:forgejo-runner-)?(?:backend-)?/, '').replaceAll('.', '-') || last;
}

/** The last part of a name. */
export function suggestedDir(name: string): string {
  return name.split('/').at(-1) ?? name;
}
