import type { Message } from 'esbuild';
import type { ResolvedBackend } from '../resolve/resolved-package.ts';
import { UserError } from '../user-error.ts';
import { packageAround } from './one-core.ts';

/** Says in our words what esbuild refused. */
export async function translateBundleErrors(messages: readonly Message[], workDir: string): Promise<UserError[]> {
  return Promise.all(messages.map((message) => translate(message, workDir)));
}

async function translate(message: Message, workDir: string): Promise<UserError> {
  const where = placeOf(message, workDir);
  const importer =
    message.location === null ? undefined : await packageAround(absolute(message.location.file, workDir));
  const who = importer === undefined ? 'the runner' : `${importer.name}@${importer.version}`;
  const missing = /^Could not resolve "(.+)"$/.exec(message.text)?.[1];
  const init = where === undefined ? {} : { where };
  if (missing === undefined) return new UserError('FRB507', `${who}: ${message.text}`, init);
  if (importer !== undefined && importer.dir !== workDir) {
    const next = missing.startsWith('.')
      ? `restore or build it in ${importer.dir}`
      : `run npm install in ${importer.dir}`;
    const isLocal = !importer.dir.includes('node_modules');
    return new UserError(
      'FRB503',
      `${who} imports "${missing}", which cannot be found`,
      isLocal ? { ...init, next } : init,
    );
  }
  return new UserError('FRB503', `"${missing}" has no file to import; its package.json names one that is not there`, {
    next: 'build the package first, so that the files of its "exports" exist',
  });
}

/** Warnings that mean that something of a backend is left out of the bundle. */
export function droppedImports(warnings: readonly Message[], backends: readonly ResolvedBackend[]): UserError[] {
  return warnings.flatMap((warning) => {
    if (warning.id !== 'ignored-bare-import') return [];
    const imported = /^Ignoring this import because "(.+)" was marked/.exec(warning.text)?.[1] ?? '';
    const backend = backends.find((one) => imported.includes(one.dir) || imported.includes(`/${one.name}/`));
    return backend === undefined
      ? []
      : [
          new UserError(
            'FRB501',
            `${backend.name}@${backend.version} would be left out: its package.json says "sideEffects": false`,
            {
              next: 'tell the author to remove "sideEffects" from package.json',
            },
          ),
        ];
  });
}

function placeOf(message: Message, workDir: string): string | undefined {
  if (message.location === null) return undefined;
  const { file, line, column } = message.location;
  return `${absolute(file, workDir)}:${line}:${column + 1}`;
}

function absolute(file: string, workDir: string): string {
  return file.startsWith('/') || /^[A-Za-z]:/.test(file) ? file : new URL(file, `file://${workDir}/`).pathname;
}
