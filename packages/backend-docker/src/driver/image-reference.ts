import { BackendError } from '@forgejo-runner/core';

/** The name of an image, in its parts. */
export interface ImageReference {
  /** Host of the registry, with its port where it has one: `docker.io`, `registry.example:5000`. */
  readonly registry: string;
  /** As the engine takes it: everything but tag and digest. */
  readonly name: string;
  /** Tag or digest: what of that name is meant. */
  readonly version: string;
  /** The id of an image that is in an engine, and in no registry. */
  readonly isId: boolean;
}

/** Where images are whose name says nothing about it. */
export const defaultRegistry = 'docker.io';

// Source: the grammar of references in the Docker distribution project.
const part = String.raw`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`;
const label = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?';
const host = String.raw`(?:\[[0-9a-fA-F:]+\]|${label}(?:\.${label})*)(?::\d{1,5})?`;
const grammar = new RegExp(
  `^(?<name>(?:(?<host>${host})/)?${part}(?:/${part})*)(?::(?<tag>[A-Za-z0-9_][\\w.-]{0,127}))?(?:@(?<digest>[A-Za-z][\\w+.-]*:[0-9a-fA-F]{32,}))?$`,
);
const longestName = 255;

/**
 * Reads the name of an image.
 *
 * @throws BackendError `plan` for what no registry could have.
 */
export function parseImageReference(image: string): ImageReference {
  if (/^sha256:[0-9a-f]{64}$/.test(image)) return { registry: '', name: image, version: '', isId: true };
  // Longer ones are not looked at: nobody has them, and a pattern takes its time.
  const found = image.length <= 4 * longestName ? grammar.exec(image)?.groups : undefined;
  const name = found?.['name'];
  if (name === undefined || name.length > longestName) throw malformed(image);
  const first = found?.['host'];
  return {
    registry: first !== undefined && isHost(first) ? registryName(first) : defaultRegistry,
    name,
    version: found?.['digest'] ?? found?.['tag'] ?? 'latest',
    isId: false,
  };
}

/** One word for each registry: the names that Docker's own goes by are one, and hosts have no capitals. */
export function registryName(name: string): string {
  const lower = name.toLowerCase();
  return /^(?:(?:index|registry|registry-1)\.)?docker\.io$/.test(lower) ? defaultRegistry : lower;
}

/** `acme/app` is a folder of the default registry, `acme.example/app` is not. */
function isHost(text: string): boolean {
  return /[.:]/.test(text) || text === 'localhost' || text !== text.toLowerCase();
}

function malformed(image: string): BackendError {
  const why = image !== image.toLowerCase() && grammar.test(image.toLowerCase()) ? ', which has capital letters' : '';
  return new BackendError(
    'plan',
    `expected the name of an image such as node:22-bookworm, found "${image.slice(0, 200)}"${why}`,
    {
      resource: image.slice(0, 200),
      hint: 'correct the name of the image',
    },
  );
}
