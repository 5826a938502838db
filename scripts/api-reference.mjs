// The API reference for authors of backends, made from the docstrings of what packages export.
//
// node scripts/api-reference.mjs [--write] [--out FOLDER]
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Node, Project } from 'ts-morph';

const root = resolve(fileURLToPath(import.meta.url), '..', '..');
const { values } = parseArgs({
  options: {
    write: { type: 'boolean', default: false },
    out: { type: 'string', default: join(root, 'docs', 'backends', 'api') },
  },
});

/** The pages: what each is for, and its sources in the order in which a reader meets them. */
const pages = [
  {
    name: 'core',
    title: 'API of @forgejo-runner/core',
    lead: 'For authors of backends: the contract, type by type. How the parts work together is in the [guide](../guide.md).',
    order: [
      'define-backend',
      'factory',
      'backend',
      'label',
      'capabilities',
      'environment',
      'target',
      'exec',
      'files',
      'containers',
      'plan',
      'ownership',
      'errors',
      'call-context',
      'docker-endpoint',
      'docker-driver',
      'unmet',
      'registry',
      'api-version',
      'standard-schema',
      'open-union',
    ],
  },
  {
    name: 'kit',
    title: 'API of @forgejo-runner/kit',
    lead: 'For authors of backends: what most of them need, ready to use. Nothing in the contract asks for it.',
    order: [
      'process-group',
      'exec-request',
      'tar-unpack',
      'tar-pack',
      'owned-folders',
      'owner-file',
      'sweep-folders',
      'remove-tree',
      'file-errors',
    ],
  },
];

let isStale = false;
for (const page of pages) {
  const file = join(values.out, `${page.name}.md`);
  const text = pageText(page);
  if (values.write) writeFileSync(file, text);
  else if (readOrNothing(file) !== text) {
    console.error(`${relative(root, file)} is not what the docstrings of ${page.name} say`);
    isStale = true;
  }
}
if (isStale) {
  console.error('next: node scripts/api-reference.mjs --write');
  process.exitCode = 1;
}

function readOrNothing(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function pageText({ name, title, lead, order }) {
  const folder = join(root, 'packages', name);
  const project = new Project({ tsConfigFilePath: join(folder, 'tsconfig.json') });
  const index = project.getSourceFileOrThrow(join(folder, 'src', 'index.ts'));
  const groups = new Map();
  for (const [exported, declarations] of index.getExportedDeclarations()) {
    const [declaration] = declarations;
    if (declaration === undefined) throw new Error(`${name}: ${exported} is declared nowhere`);
    const source = basename(declaration.getSourceFile().getFilePath(), '.ts');
    groups.set(source, [...(groups.get(source) ?? []), { exported, declaration }]);
  }
  const known = order.filter((source) => groups.has(source));
  const rest = [...groups.keys()].filter((source) => !order.includes(source)).toSorted((a, b) => (a < b ? -1 : 1));
  const sections = [...known, ...rest].map((source) => sectionText(source, groups.get(source), groups));
  const generated = '<!-- Made by scripts/api-reference.mjs from the docstrings of the sources. -->';
  return `${generated}\n\n# ${title}\n\n${lead}\n\n${sections.join('\n')}`;
}

/** What one source file exports, in the order in which it stands there. */
function sectionText(source, entries, groups) {
  const names = new Set([...groups.values()].flat().map(({ exported }) => exported));
  const sorted = entries.toSorted((a, b) => a.declaration.getStart() - b.declaration.getStart());
  const title = source.replaceAll('-', ' ').replace(/^./, (letter) => letter.toUpperCase());
  return `## ${title}\n\n${sorted.map((entry) => entryText(entry, names)).join('\n')}`;
}

function entryText({ exported, declaration }, names) {
  const holder = Node.isVariableDeclaration(declaration) ? declaration.getVariableStatementOrThrow() : declaration;
  const parts = [`### ${exported}`, docText(holder, names), `\`\`\`ts\n${signatureOf(declaration)}\n\`\`\``];
  const members = membersOf(declaration)
    .map((member) => memberText(member, names))
    .filter(Boolean);
  if (members.length > 0) parts.push(`| member | what it is |\n|---|---|\n${members.join('\n')}`);
  return `${parts.filter(Boolean).join('\n\n')}\n`;
}

/** A description with its links, then what it throws. */
function docText(node, names) {
  return node
    .getJsDocs()
    .map((doc) => {
      const tags = doc.getTags().map((tag) => `Throws ${linked(tag.getCommentText() ?? '', names)}`);
      return [linked(doc.getDescription().trim(), names), ...tags].filter(Boolean).join('\n\n');
    })
    .join('\n\n');
}

function linked(text, names) {
  return text.replaceAll(/\{@link ([\w.]+)\}/g, (_, target) => {
    const [first = ''] = target.split('.');
    return names.has(first) ? `[\`${target}\`](#${first.toLowerCase()})` : `\`${target}\``;
  });
}

function membersOf(declaration) {
  if (Node.isInterfaceDeclaration(declaration)) return declaration.getProperties();
  if (Node.isClassDeclaration(declaration)) return declaration.getProperties();
  return [];
}

function memberText(member, names) {
  const text = docText(member, names)
    .replaceAll(/\s*\n\s*/g, ' ')
    .replaceAll('|', '\\|');
  return text === '' ? '' : `| \`${member.getName()}\` | ${text} |`;
}

/** The declaration as it is used: without bodies, comments, and what is private. */
function signatureOf(declaration) {
  if (Node.isFunctionDeclaration(declaration)) {
    const overloads = declaration.getOverloads();
    const all = overloads.length > 0 ? overloads : [declaration];
    return all.map((one) => plain(one.getText({ trimLeadingIndentation: true }).replace(bodyOf(one), ''))).join('\n');
  }
  if (Node.isVariableDeclaration(declaration)) {
    return `const ${declaration.getName()}: ${declaration.getTypeNode()?.getText() ?? declaration.getType().getText(declaration)};`;
  }
  if (Node.isClassDeclaration(declaration)) return classText(declaration);
  return plain(declaration.getText());
}

function bodyOf(declaration) {
  return declaration.getBody?.()?.getText() ?? '';
}

function isPublic(member) {
  return !member.hasModifier?.('private') && !member.getName?.()?.startsWith('#');
}

function classText(declaration) {
  const heritage = declaration.getExtends()?.getText();
  const members = declaration
    .getMembers()
    .filter(isPublic)
    .map(
      (member) =>
        `  ${plain(
          member
            .getText()
            .replace(bodyOf(member), '')
            .replace(/ = [^;]+;$/, ';'),
        )
          .trim()
          .replace(/;?$/, ';')}`,
    );
  return `class ${declaration.getName()}${heritage === undefined ? '' : ` extends ${heritage}`} {\n${members.join('\n')}\n}`;
}

/** Without comments and the words that every export has. */
function plain(text) {
  return text
    .replaceAll(/^[ \t]*\/\*\*[^]*?\*\/\n/gm, '')
    .replaceAll(/^[ \t]*\/\/.*\n/gm, '')
    .replace(/^export (?:declare )?/, '')
    .replace(/^async /, '')
    .trim();
}
