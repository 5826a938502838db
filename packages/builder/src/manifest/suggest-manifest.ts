import { findBackends } from '../resolve/catalogue.ts';
import { officialBackends } from '../resolve/installation.ts';
import type { Npm } from '../resolve/npm.ts';
import { defaultBackends } from './layer.ts';
import { type NeededBackend, neededBackends } from './needed-backends.ts';

/** A manifest that a runner configuration needs, and the backends for which no package is known. */
export interface SuggestedManifest {
  readonly text: string;
  readonly unknown: readonly string[];
}

/**
 * Writes the manifest that a runner configuration needs. Backends that are not ours are looked for in the registry's
 * catalogue; for the ones that are not found there is a line to fill in.
 *
 * @throws UserError `FRB208`
 */
export async function suggestManifest(
  config: { readonly text: string; readonly file: string },
  npm: Npm,
  signal: AbortSignal,
): Promise<SuggestedManifest> {
  const needed = neededBackends(config.text, config.file);
  const foreign = needed.filter(({ id }) => officialBackends[id] === undefined && defaultBackends[id] === undefined);
  const catalogue = foreign.length === 0 ? [] : await findBackends([], npm, signal);
  const lines = needed.flatMap((one) => lineOf(one, catalogue));
  const unused = Object.keys(defaultBackends).filter((id) => !needed.some((one) => one.id === id));
  const withLines = lines.length === 0 ? [] : ['with:', ...lines];
  const withoutLines = unused.length === 0 ? [] : ['without:', ...unused.map((id) => `  - ${id} # no label uses it`)];
  return {
    text: [`# What ${config.file} needs. Save it as forgejo-runner.build.yaml`, ...withLines, ...withoutLines, ''].join(
      '\n',
    ),
    unknown: foreign.filter(({ id }) => !catalogue.some((entry) => entry.backends.includes(id))).map(({ id }) => id),
  };
}

function lineOf(
  { id, neededBy }: NeededBackend,
  catalogue: readonly { readonly name: string; readonly backends: readonly string[] }[],
): readonly string[] {
  // In every runner: nothing to say.
  if (defaultBackends[id] !== undefined) return [];
  const why =
    neededBy.length > 3 ? `${neededBy.slice(0, 3).join(', ')} and ${neededBy.length - 3} more` : neededBy.join(', ');
  const known = officialBackends[id];
  if (known !== undefined) return [`  - "${known}" # ${id}: ${why}`];
  const offers = catalogue.filter((entry) => entry.backends.includes(id)).map((entry) => entry.name);
  const [first, ...others] = offers;
  if (first === undefined) return [`  # - PACKAGE # ${id}: ${why}; no package is known that provides it`];
  const also = others.length === 0 ? '' : `; also provided by ${others.join(', ')}`;
  return [`  - "${first}" # ${id}: ${why}${also}`];
}
