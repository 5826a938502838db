import type { Plugin } from 'esbuild';

/** Modules of Node that it does not load for itself when it starts. */
const heavy =
  'child_process cluster crypto dgram dns dns/promises http http2 https inspector inspector/promises net readline ' +
  'readline/promises sqlite test tls v8 vm worker_threads zlib';
const names = new Set(heavy.split(' '));
const namespace = 'node-module';

/**
 * Lets modules of Node be loaded by the code that uses them, when it runs. A static import of one stands at the top of a
 * bundle, also when only a command that seldom runs has it: measured, they were a quarter of the time of `--version`.
 *
 * For bundles that are modules: in CommonJS each is required where it is used anyway.
 */
export function lazyBuiltins(): Plugin {
  return {
    name: 'lazy-builtins',
    setup(build) {
      build.onResolve({ filter: /^(?:node:)?[a-z_0-9/]+$/ }, ({ path, kind }) => {
        const name = path.replace(/^node:/, '');
        return kind === 'import-statement' && names.has(name) ? { path: `node:${name}`, namespace } : undefined;
      });
      // What is CommonJS is wrapped, and evaluated with the module that imports it.
      build.onLoad({ filter: /./, namespace }, ({ path }) => ({
        contents: `module.exports = require(${JSON.stringify(path)});`,
      }));
    },
  };
}

/** Whether an input of a bundle is one of these, and no file. */
export function isLazyBuiltin(input: string): boolean {
  return input.startsWith(`${namespace}:`);
}
