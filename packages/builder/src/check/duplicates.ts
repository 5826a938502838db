import type { ResolvedBackend } from '../resolve/resolved-package.ts';
import { UserError } from '../user-error.ts';

/** Backends that two packages declare, an error for each id. */
export function findDuplicates(backends: readonly ResolvedBackend[]): readonly UserError[] {
  const providers = new Map<string, string[]>();
  for (const backend of backends) {
    for (const id of backend.field.backends) {
      providers.set(id, [...(providers.get(id) ?? []), `${backend.name}@${backend.version}`]);
    }
  }
  return [...providers]
    .filter(([, packages]) => packages.length > 1)
    .map(([id, packages]) => new UserError('FRB407', `backend "${id}" is provided by ${packages.join(' and ')}`));
}
