// Members of the contract are readonly properties of function type. A method is compared loosely (bivariantly), so a
// backend that asks for more than the runner gives would pass the check of its types.
//
// node scripts/check-function-members.mjs [folder], by default packages/core/src
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Node, Project, SyntaxKind } from 'ts-morph';

const root = resolve(fileURLToPath(import.meta.url), '..', '..');
const folder = resolve(process.argv[2] ?? `${root}/packages/core/src`);
const project = new Project({ skipAddingFilesFromTsConfig: true, skipFileDependencyResolution: true });
project.addSourceFilesAtPaths([`${folder}/**/*.ts`, `!${folder}/**/*.test.ts`]);

const problems = [];
let looked = 0;
for (const file of project.getSourceFiles()) {
  for (const shape of [
    ...file.getDescendantsOfKind(SyntaxKind.InterfaceDeclaration),
    ...file.getDescendantsOfKind(SyntaxKind.TypeLiteral),
  ]) {
    looked += 1;
    for (const member of shape.getMembers()) {
      const problem = problemOf(shape, member);
      if (problem === undefined) continue;
      problems.push(
        `${relative(root, file.getFilePath())}:${member.getStartLineNumber()}: ${nameOf(member)}: ${problem}`,
      );
    }
  }
}
if (looked === 0)
  problems.push(`${relative(root, folder)}: expected interfaces, found none; the check would prove nothing`);
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exitCode = 1;
} else {
  console.log(`${looked} types, all members are readonly properties`);
}

function problemOf(shape, member) {
  if (Node.isMethodSignature(member)) return 'expected a readonly property of function type, found a method';
  if (Node.isGetAccessorDeclaration(member) || Node.isSetAccessorDeclaration(member)) {
    return 'expected a readonly property, found an accessor';
  }
  const isPublic = Node.isInterfaceDeclaration(shape) && shape.isExported();
  if (isPublic && Node.isPropertySignature(member) && !member.isReadonly()) {
    return 'expected a readonly property, found one that can be set';
  }
  return undefined;
}

function nameOf(member) {
  return 'getName' in member ? member.getName() : member.getText().slice(0, 40);
}
