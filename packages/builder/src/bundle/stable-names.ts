import path from 'node:path';

/**
 * esbuild names wrapped modules by their path from the work folder, which says where the builder's cache and the user's
 * own folders lie, and makes the bytes depend on it. Each becomes the package and the path within it.
 */
export function withStableNames(code: string, inputs: readonly string[]): string {
  const names = new Map(inputs.map((input) => [input, stableName(input)]));
  // `"path"(exports,module){` as esbuild writes a wrapped module; a path can hold any character but is printed as JSON.
  return code.replaceAll(/"((?:[^"\\\n]|\\.)+)"\(/g, (whole, printed: string) => {
    const name = names.get(unescape(printed));
    return name === undefined ? whole : `${JSON.stringify(name)}(`;
  });
}

/** The part of a path that is the same on every machine. */
export function stableName(input: string): string {
  const clean = input.replaceAll('\\', '/').replace(/^[a-z-]+:(?=[^/])/, '');
  const inModules = /(?:^|.*\/)node_modules\/(.+)$/.exec(clean)?.[1];
  if (inModules !== undefined) return inModules;
  const inPackages = /(?:^|.*\/)((?:src|dist|lib)\/.+)$/.exec(clean)?.[1];
  return inPackages ?? path.posix.basename(clean);
}

function unescape(printed: string): string {
  try {
    return JSON.parse(`"${printed}"`) as string;
  } catch {
    return printed;
  }
}
