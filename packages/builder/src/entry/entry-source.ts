import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { SourceFile, SyntaxKind } from 'ts-morph';
import { z } from 'zod';
import type { Resolution } from '../resolve/resolved-package.ts';
import { keyOf, type Store } from '../store/store.ts';
import { type BackendModule, backendModules } from './attribution.ts';

/** Generated files by name. `entry.mjs` is the one to start. */
export type EntryFiles = Readonly<Record<string, string>>;

const filesSchema = z.record(z.string(), z.string());
const templateNames = [
  'entry.mjs',
  'early-signals.mjs',
  'program.mjs',
  'backends.mjs',
  'import-times.mjs',
  'backend.mjs',
  'backend-begin.mjs',
  'older-backend.mjs',
] as const;
/** Templates that say the same in every runner. */
const asTheyAre = ['entry.mjs', 'early-signals.mjs', 'program.mjs', 'import-times.mjs'] as const;
type Templates = Readonly<Record<(typeof templateNames)[number], string>>;

/**
 * Writes the program of a runner from the templates: plain modules, fit to be read. Remembered by content, because
 * loading the code generator takes longer than bundling a small runner.
 */
export async function entryFiles(resolution: Resolution, templateDir: string, store: Store): Promise<EntryFiles> {
  const modules = backendModules(resolution.backends);
  const templates = await readTemplates(templateDir);
  const key = keyOf('entry-2', templates, modules);
  const known = filesSchema.safeParse(await store.readJson('entries', key));
  if (known.success) return known.data;
  const files = await generate(templates, modules);
  await store.writeJson('entries', key, files);
  return files;
}

/** The entry without waiting for `run` at its top level, which CommonJS cannot. */
export async function withoutAwait(entry: string, store: Store): Promise<string> {
  const key = keyOf('entry-cjs-1', entry);
  const known = z.string().safeParse(await store.readJson('entries', key));
  if (known.success) return known.data;
  const { Project, SyntaxKind } = await import('ts-morph');
  const file = new Project({ useInMemoryFileSystem: true }).createSourceFile('/entry.ts', entry);
  for (const awaited of file.getDescendantsOfKind(SyntaxKind.AwaitExpression)) {
    awaited.replaceWithText(awaited.getExpression().getText());
  }
  const text = file.getFullText();
  await store.writeJson('entries', key, text);
  return text;
}

async function readTemplates(dir: string): Promise<Templates> {
  const texts = await Promise.all(templateNames.map((name) => readFile(path.join(dir, name), 'utf8')));
  return Object.fromEntries(templateNames.map((name, index) => [name, texts[index] ?? ''])) as Templates;
}

async function generate(templates: Templates, modules: readonly BackendModule[]): Promise<EntryFiles> {
  const { IndentationText, Project, QuoteKind, SyntaxKind } = await import('ts-morph');
  const project = new Project({
    useInMemoryFileSystem: true,
    manipulationSettings: { indentationText: IndentationText.TwoSpaces, quoteKind: QuoteKind.Single },
  });
  const files: Record<string, string> = {};
  const write = (name: string, template: string, edit: (file: SourceFile) => void): void => {
    // A TypeScript name, so that ts-morph parses it as a module whatever its settings for JavaScript are.
    const file = project.createSourceFile(`/${name}.ts`, template);
    edit(file);
    files[name] = file.getFullText();
  };
  for (const name of asTheyAre) files[name] = templates[name];
  write('backends.mjs', templates['backends.mjs'], (file) => importBackends(file, modules));
  for (const module of modules) {
    write(module.beginFile, templates['backend-begin.mjs'], (file) => fillIn(file, module, SyntaxKind.StringLiteral));
    const template = templates[module.adapter === undefined ? 'backend.mjs' : 'older-backend.mjs'];
    write(module.file, template, (file) => fillIn(file, module, SyntaxKind.StringLiteral));
  }
  return files;
}

function importBackends(file: SourceFile, modules: readonly BackendModule[]): void {
  file.insertImportDeclarations(
    0,
    modules.map((module) => ({
      moduleSpecifier: `./${module.file}`,
      trailingTrivia: ` // ${module.packageName} ${module.version}`,
    })),
  );
  file.insertText(0, '// What this runner is made of, in the order of registration. Made by forgejo-runner-build.\n');
}

function fillIn(file: SourceFile, module: BackendModule, stringLiteral: SyntaxKind.StringLiteral): void {
  for (const declaration of file.getImportDeclarations()) {
    const specifier = declaration.getModuleSpecifierValue();
    if (specifier === 'PACKAGE') declaration.setModuleSpecifier(module.specifier);
    if (specifier === 'ADAPTER') declaration.setModuleSpecifier(module.adapter ?? '');
    if (specifier === './backend-begin.mjs') declaration.setModuleSpecifier(`./${module.beginFile}`);
  }
  const values: Readonly<Record<string, string>> = { PACKAGE: module.packageName, VERSION: module.version };
  for (const literal of file.getDescendantsOfKind(stringLiteral)) {
    const value = values[literal.getLiteralValue()];
    if (value !== undefined) literal.setLiteralValue(value);
  }
}
