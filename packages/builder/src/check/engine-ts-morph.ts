import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Project, ts } from 'ts-morph';
import { sourceCondition } from '../bundle/source-condition.ts';
import { type CheckRequest, checkSource, type CheckSubject, type Verdict } from './check-source.ts';
import { explainMismatch } from './explain.ts';
import { sharedApi } from './shared-api.ts';
import { findVacuous, type Vacuous } from './vacuous.ts';

/** Checks every backend of a request, each in a program of its own, so that none helps or harms another. */
export function checkWithTsMorph(request: CheckRequest): readonly Verdict[] {
  return request.subjects.map((subject, index) => checkOne(request, subject, index));
}

function checkOne(request: CheckRequest, subject: CheckSubject, index: number): Verdict {
  const place = path.join(request.workDir, `check-${index + 1}.ts`);
  const bare = openProgram(place, { subject, request });
  const verdict = judge(bare, subject);
  // Without Node's types first: that takes half the time. With them when the package itself asks for them.
  const isAboutTypes = verdict.kind === 'fails' && verdict.code !== 'FRB402' && verdict.code !== 'FRB403';
  if (!isAboutTypes || !asksForNode(bare, subject)) return verdict;
  const roots = findNodeTypes(subject, request.workDir);
  return roots === undefined ? verdict : judge(openProgram(place, { subject, request, typeRoots: roots }), subject);
}

interface Opened {
  readonly program: ts.Program;
  readonly checker: ts.TypeChecker;
  readonly file: ts.SourceFile;
}

interface ProgramInput {
  readonly subject: CheckSubject;
  readonly request: CheckRequest;
  /** With Node's types, from here. */
  readonly typeRoots?: string;
}

function openProgram(place: string, { subject, request, typeRoots }: ProgramInput): Opened {
  const project = new Project({
    skipAddingFilesFromTsConfig: true,
    resolutionHost: sharedApi(place, request.shared, { dir: request.coreDir, specifier: subject.api.specifier }),
    compilerOptions: {
      strict: true,
      noEmit: true,
      target: ts.ScriptTarget.ES2024,
      lib: ['lib.es2024.d.ts', 'lib.esnext.disposable.d.ts'],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      customConditions: [sourceCondition],
      allowImportingTsExtensions: true,
      // Never hidden: the declarations of the package itself are looked at below.
      skipLibCheck: false,
      types: typeRoots === undefined ? [] : ['node'],
      ...(typeRoots === undefined ? {} : { typeRoots: [typeRoots] }),
    },
  });
  project.createSourceFile(place, checkSource(subject), { overwrite: true });
  const program = project.getProgram().compilerObject;
  const file = program.getSourceFile(place);
  if (file === undefined) throw new Error(`the check file ${place} is not in the program`);
  return { program, checker: program.getTypeChecker(), file };
}

function judge(opened: Opened, subject: CheckSubject): Verdict {
  const { program, checker, file } = opened;
  const title = `${subject.name}@${subject.version}`;
  const diagnostics = program.getSemanticDiagnostics(file);
  const details = diagnostics.map((one) => ts.flattenDiagnosticMessageText(one.messageText, '\n')).join('\n');
  const importProblem = noTypes(diagnostics, title) ?? noFactory(opened, title);
  if (importProblem !== undefined) return { ...importProblem, details };
  const [offered, asked] = [typeOf('offered', opened), typeOf('asked', opened)];
  const vacuous = findVacuous(offered, asked, checker);
  if (vacuous !== undefined) return { ...provesNothing(vacuous, opened, subject), details };
  if (!checker.isTypeAssignableTo(offered, asked)) {
    const { code, message, declaration } = explainMismatch(offered, asked, checker, subject.api.version);
    const where = declaration === undefined ? undefined : placeOf(declaration, subject.dir);
    return { kind: 'fails', code, message: `${title}: ${message}`, details, ...(where === undefined ? {} : { where }) };
  }
  const unresolved = unresolvedImports(opened, subject)[0];
  if (unresolved !== undefined) {
    return { kind: 'fails', code: 'FRB406', message: `${title}: types cannot be checked: ${unresolved}`, details };
  }
  return { kind: 'fits', files: filesOf(program, file, subject) };
}

type Failed = Extract<Verdict, { readonly kind: 'fails' }>;

function noTypes(diagnostics: readonly ts.Diagnostic[], title: string): Failed | undefined {
  // 7016: there is JavaScript without declarations. 2307: there is not even that, such as a package that was not built.
  const found = diagnostics.find((one) => one.code === 7016 || one.code === 2307);
  if (found === undefined) return undefined;
  if (found.code === 7016) return { kind: 'fails', code: 'FRB402', message: `${title} ships no type declarations` };
  const specifier = /'([^']+)'/.exec(ts.flattenDiagnosticMessageText(found.messageText, ' '))?.[1] ?? title;
  return {
    kind: 'fails',
    code: 'FRB402',
    message: `${title}: no declarations are found for the import "${specifier}"`,
    next: 'build the package, so that the files of its "exports" exist; or accept the risk: --allow-untyped NAME',
  };
}

function noFactory({ checker, file }: Opened, title: string): Failed | undefined {
  const [, declaration] = file.statements.filter(ts.isImportDeclaration);
  const symbol = declaration === undefined ? undefined : checker.getSymbolAtLocation(declaration.moduleSpecifier);
  const names = symbol === undefined ? [] : checker.getExportsOfModule(symbol).map((one) => one.name);
  if (names.includes('factory')) return undefined;
  const list = names.length === 0 ? 'nothing' : names.slice(0, 10).join(', ');
  return { kind: 'fails', code: 'FRB403', message: `${title}: expected the export factory, found ${list}` };
}

function typeOf(name: string, { checker, file }: Opened): ts.Type {
  for (const statement of file.statements.filter(ts.isVariableStatement)) {
    const declaration = statement.declarationList.declarations.find((one) => one.name.getText(file) === name);
    if (declaration !== undefined) return checker.getTypeAtLocation(declaration.name);
  }
  throw new Error(`the check file declares no ${name}`);
}

function provesNothing(vacuous: Vacuous, opened: Opened, subject: CheckSubject): Failed {
  const title = `${subject.name}@${subject.version}`;
  if (vacuous.kind === 'api') {
    const message = `${title}: types cannot be checked: the types of the API itself do not resolve at ${vacuous.path}`;
    return { kind: 'fails', code: 'FRB406', message, next: 'install the builder anew' };
  }
  if (vacuous.kind === 'any') {
    return { kind: 'fails', code: 'FRB406', message: `${title}: types cannot be checked: ${vacuous.path} is any` };
  }
  const cause = unresolvedImports(opened, subject)[0] ?? `${vacuous.path} refers to a type that cannot be found`;
  return { kind: 'fails', code: 'FRB406', message: `${title}: types cannot be checked: ${cause}` };
}

// A module, a name, a namespace, an export that is not there; a reference to types that are not there.
const unresolvedCodes = new Set([2304, 2305, 2307, 2318, 2503, 2552, 2580, 2583, 2584, 2688, 2694, 2724, 2792, 7016]);

/** What the declarations of the package itself name and cannot find, each in words. */
function unresolvedImports({ program }: Opened, subject: CheckSubject): readonly string[] {
  return ownFiles(program, subject)
    .filter((file) => file.isDeclarationFile)
    .flatMap((file) => program.getSemanticDiagnostics(file).filter((one) => unresolvedCodes.has(one.code)))
    .map((one) => describeUnresolved(one, subject));
}

function describeUnresolved(diagnostic: ts.Diagnostic, subject: CheckSubject): string {
  const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ');
  const file = diagnostic.file === undefined ? 'a declaration' : relative(diagnostic.file.fileName, subject.dir);
  const name = /'([^']+)'/.exec(text)?.[1] ?? text;
  if (diagnostic.code === 2307 || diagnostic.code === 2792) return `${file} imports "${name}", which is not installed`;
  if (diagnostic.code === 7016) return `${file} imports "${name}", which has no types`;
  return `${file} uses "${name}", which cannot be found`;
}

function asksForNode(opened: Opened, subject: CheckSubject): boolean {
  const imports =
    /^(?:node:|(?:assert|buffer|child_process|crypto|dns|events|fs|http|https|net|os|path|process|stream|tls|tty|url|util|worker_threads|zlib)(?:\/|$))/;
  return ownFiles(opened.program, subject).some(
    (file) =>
      file.typeReferenceDirectives.some((one) => one.fileName === 'node') ||
      importsOf(file).some((name) => imports.test(name)) ||
      opened.program.getSemanticDiagnostics(file).some((one) => [2304, 2503, 2580].includes(one.code)),
  );
}

function importsOf(file: ts.SourceFile): readonly string[] {
  const { imports } = file as ts.SourceFile & { readonly imports?: readonly ts.StringLiteralLike[] };
  return (imports ?? []).map((one) => one.text);
}

/** The folder that holds `node`'s types: the package's own, or those beside the builder. */
function findNodeTypes(subject: CheckSubject, workDir: string): string | undefined {
  for (const from of [subject.dir, path.join(workDir, 'node_modules', subject.name), import.meta.dirname]) {
    try {
      const file = createRequire(path.join(from, 'index.js')).resolve('@types/node/package.json');
      return path.dirname(path.dirname(file));
    } catch {
      // Not there: the next place.
    }
  }
  return undefined;
}

function ownFiles(program: ts.Program, subject: CheckSubject): readonly ts.SourceFile[] {
  const inside = `${subject.dir}${path.sep}`;
  const modules = path.join(subject.dir, 'node_modules') + path.sep;
  return program.getSourceFiles().filter((file) => {
    const name = path.normalize(file.fileName);
    return name.startsWith(inside) && !name.startsWith(modules);
  });
}

function filesOf(program: ts.Program, checkFile: ts.SourceFile, subject: CheckSubject): (readonly [string, string])[] {
  const files = program
    .getSourceFiles()
    .filter((file) => file !== checkFile && !program.isSourceFileDefaultLibrary(file));
  const packageJson = path.join(subject.dir, 'package.json');
  const extra = existsSync(packageJson) ? [packageJson] : [];
  return [...files.map((file) => realpathSync(file.fileName)), ...extra].map((file) => [
    file,
    hashText(ts.sys.readFile(file) ?? ''),
  ]);
}

/** Checksum of a text as a verdict records it. */
export function hashText(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function placeOf(declaration: ts.Declaration, dir: string): string {
  const file = declaration.getSourceFile();
  const { line } = file.getLineAndCharacterOfPosition(declaration.getStart(file));
  return `${relative(file.fileName, dir)}:${line + 1}`;
}

function relative(file: string, dir: string): string {
  const inside = path.relative(dir, file).replaceAll(path.sep, '/');
  return inside.startsWith('../') ? (/.*node_modules\/(.+)$/.exec(inside)?.[1] ?? path.basename(file)) : inside;
}
