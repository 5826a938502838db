import path from 'node:path';

/**
 * esbuild names wrapped modules by their path from the work folder, which says where the builder's cache and the user's
 * own folders lie, and makes the bytes depend on it. What this returns makes each the package and the path within it.
 */
export function stableNames(inputs: readonly string[]): (code: string) => string {
  // Named when it is met: few of the modules are wrapped.
  const known = new Set(inputs);
  // `"path"(exports,module){` as esbuild writes a wrapped module; a path can hold any character but is printed as JSON.
  return (code) =>
    code.replaceAll(/"((?:[^"\\\n]|\\.)+)"\(/g, (whole, printed: string) => {
      const input = unescape(printed);
      return known.has(input) ? `${JSON.stringify(stableName(input))}(` : whole;
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
