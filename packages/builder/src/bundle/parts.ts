import path from 'node:path';
import type { Metafile, OutputFile } from 'esbuild';

/** A module of a bundle that is loaded when it is imported for the first time. */
export interface Part {
  /** Name of the file that it would be, without a folder. */
  readonly name: string;
  readonly code: string;
}

const entryName = 'entry.js';

/** What CommonJS dependencies ask for, and a module lacks. */
export const commonJs =
  "import{createRequire as __createRequire}from'node:module';import{fileURLToPath as __toPath}from'node:url';import{dirname as __toDir}from'node:path';const require=__createRequire(import.meta.url),__filename=__toPath(import.meta.url),__dirname=__toDir(__filename);\n";

/** How a part of a CommonJS module ends, before the licences. What the module exports is in its default alone. */
const commonJsEnd = /\bexport default require_[\w$]+\(\);\s*(?:\/\*[^]*)?$/;

/** Gives what a CommonJS module exports by name as well, as Node does for `import()`. */
const namesOfExports =
  "const __named=part=>{const all=part.default,names={__proto__:null};if(all!==null&&(typeof all==='object'||typeof all==='function'))for(const name of Object.keys(all))if(name!=='default')Object.defineProperty(names,name,{enumerable:true,get:()=>all[name]});return Object.defineProperty(names,'default',{enumerable:true,value:all})};\n";

/**
 * Names what esbuild split, the entry first. Its own names have a hash of where files lie, so that each becomes the file
 * that is imported lazily, or a number in the order of imports: the same on every machine.
 */
export function nameParts(files: readonly OutputFile[], metafile: Metafile, workDir: string): readonly Part[] {
  const texts = new Map(files.map((file) => [path.relative(workDir, file.path).replaceAll('\\', '/'), file.text]));
  const names = new Map<string, string>();
  const taken = new Set<string>();
  const visit = (file: string): void => {
    const output = metafile.outputs[file];
    if (output === undefined || names.has(file)) return;
    const { entryPoint } = output;
    const title = entryPoint === undefined ? 'shared' : path.posix.basename(entryPoint).replace(/\.\w+$/, '');
    let name = `${title}.js`;
    for (let number = 2; taken.has(name); number += 1) name = `${title}-${number}.js`;
    taken.add(name);
    names.set(file, name);
    for (const imported of importsOf(texts.get(file) ?? '', texts)) visit(imported);
  };
  visit(entryName);
  const renamed = new Map([...names].map(([file, name]) => [`"./${file}"`, `"./${name}"`]));
  return [...names].map(([file, name]) => {
    const text = (texts.get(file) ?? '').replaceAll(/\bimport\("\.\/([^"\n]+\.js)"\)/g, (found, imported: string) =>
      commonJsEnd.test(texts.get(imported) ?? '') ? `${found}.then(__named)` : found,
    );
    const code = text.replaceAll(/"\.\/[^"\n]+\.js"/g, (found) => renamed.get(found) ?? found);
    const helpers = [
      code.includes('.then(__named)') ? namesOfExports : '',
      /\b(?:require|__filename|__dirname)\b/.test(code) ? commonJs : '',
    ];
    return { name, code: helpers.join('') + code };
  });
}

/** Files that a part imports, in the order of its text, each once. */
function importsOf(text: string, known: ReadonlyMap<string, string>): readonly string[] {
  const found = [...text.matchAll(/"\.\/([^"\n]+\.js)"/g)].map(([, file = '']) => file);
  return [...new Set(found)].filter((file) => known.has(file));
}

/**
 * Puts the parts of a program into one file, as comments: Node reads over these without parsing them, which takes more
 * time than all else when a runner starts. A part becomes a module when it is imported for the first time.
 *
 * The parts are found in the text of functions, which holds what Node has read: a file that is replaced while it runs
 * changes nothing.
 */
export function inOneFile(parts: readonly Part[], banner: string): string {
  const texts = parts.map(({ name, code }) => `${JSON.stringify(name)}(){\n${commented(code)}\n}`);
  return `${banner}
import * as __module from 'node:module';
const __own = import.meta.url;
const __parts = {
${texts.join(',\n')}
};
const __isPart = (name) => Object.hasOwn(__parts, name);
const __code = (name) => String(__parts[name]).split('\\n').slice(1, -1).map((line) => line.slice(2)).join('\\n');
__module.registerHooks({
  resolve(specifier, context, next) {
    const isOurs = context.parentURL?.split('?')[0] === __own && specifier.startsWith('./') && __isPart(specifier.slice(2));
    if (!isOurs) return next(specifier, context);
    return { url: \`\${__own}?\${specifier.slice(2)}\`, format: 'module', shortCircuit: true };
  },
  load(url, context, next) {
    const [file, name = ''] = url.split('?');
    if (file !== __own || !__isPart(name)) return next(url, context);
    return { source: __code(name), format: 'module', shortCircuit: true };
  },
});
await import('./${entryName}');
`;
}

function commented(code: string): string {
  return code
    .split(/\r\n?|[\n\u2028\u2029]/)
    .map((line) => `//${line}`)
    .join('\n');
}
