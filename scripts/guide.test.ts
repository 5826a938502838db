import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const root = fileURLToPath(new URL('..', import.meta.url));
const builder = join(root, 'packages', 'builder', 'bin', 'forgejo-runner-build.mjs');
const docs = join(root, 'docs', 'backends');

interface Block {
  readonly page: string;
  readonly language: string;
  readonly code: string;
}

let work: TempFolder;
/** Files of a package that was just created: e2e/new-backend.test.ts installs, checks, tests and runs them. */
const template = new Map<string, string>();

beforeAll(async () => {
  work = await openTempFolder();
  const args = ['--conditions=@forgejo-runner/source', builder, 'create', 'backend', '@acme/backend-foo'];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: work.path, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  const created = work.join('backend-foo');
  for (const entry of await readdir(created, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    template.set(entry.name, await readFile(join(entry.parentPath, entry.name), 'utf8'));
  }
});
afterAll(() => work[Symbol.asyncDispose]());

const blocks = (
  await Promise.all(['guide.md', 'README.md', 'conformance.md', 'package-checks.md'].map(blocksOf))
).flat();

async function blocksOf(page: string): Promise<Block[]> {
  const text = await readFile(join(docs, page), 'utf8');
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', code = '']) => ({
    page,
    language,
    code,
  }));
}

function isOfNpm(line: string): boolean {
  return line.startsWith('npm ');
}

function of(...languages: readonly string[]): readonly Block[] {
  return blocks.filter(({ language }) => languages.includes(language));
}

it('finds the blocks of all pages', () => {
  expect(of('ts').length).toBeGreaterThan(8);
  expect(of('sh').length).toBeGreaterThan(5);
});

describe('TypeScript', () => {
  it.each(of('ts').filter(({ page }) => page === 'guide.md'))('of the guide is in the template: $code', ({ code }) => {
    // The template is compiled, checked and run as a whole.
    const found = [...template].filter(([, text]) => text.includes(code.trimEnd())).map(([name]) => name);
    expect(found).toHaveLength(1);
  });

  it('of other pages compiles', async () => {
    // Below a package, so that what it imports is found.
    const folder = await mkdtemp(join(root, 'packages', 'testkit', 'dist', 'pages-'));
    try {
      const others = of('ts').filter(({ page }) => page !== 'guide.md');
      const include: string[] = [];
      for (const [index, { code }] of others.entries()) {
        const text = code
          .replaceAll("'../src/index.ts'", "'@forgejo-runner/backend-host'")
          // Each block stands alone in its file.
          .concat('\nexport {};\n');
        const declared =
          /\bfactory\b/.test(code) && !/import \{[^}]*factory/.test(code)
            ? "import { factory } from '@forgejo-runner/backend-host';\n"
            : '';
        include.push(join(folder, `block-${index}.ts`));
        await writeFile(include.at(-1) ?? '', declared + text);
      }
      const project = join(folder, 'tsconfig.json');
      await writeFile(project, JSON.stringify({ extends: join(root, 'tsconfig.tests.json'), include, exclude: [] }));
      const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
      const { stdout } = spawnSync(process.execPath, [tsc, '-p', project], { encoding: 'utf8' });
      expect(stdout).toBe('');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('shell', () => {
  const lines = of('sh').flatMap(({ code }) =>
    code
      .split('\n')
      .map((line) =>
        line
          .replace(/\s+#.*$/, '')
          .replace(/^cd \S+ && /, '')
          .trim(),
      )
      .filter((line) => line !== ''),
  );

  it.each(lines.filter(isOfNpm))('%s', (line) => {
    const { scripts } = JSON.parse(template.get('package.json') ?? '') as { scripts: Record<string, string> };
    const known = ['install', 'test', 'publish', ...Object.keys(scripts).map((name) => `run ${name}`)];
    const words = line.split(' ').slice(1);
    expect(known).toContain(words[0] === 'run' ? words.slice(0, 2).join(' ') : words[0]);
  });

  it.each(lines.filter((line) => !isOfNpm(line)))('%s', (line) => {
    const [program, ...own] = line.split(' ');
    const [first = '--'] = own;
    const command = first.startsWith('-') ? 'build' : first;
    const args = ['--conditions=@forgejo-runner/source', builder, command, '--help'];
    const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    const flags = own
      .slice(0, own.includes('--') ? own.indexOf('--') : own.length)
      .filter((word) => word.startsWith('-'));
    expect([program, ...flags.filter((flag) => !stdout.includes(`${flag} `))]).toEqual(['forgejo-runner-build']);
    expect(stdout).toContain(`Usage: forgejo-runner-build ${command} `);
  });
});

it.each(of('json', 'yaml'))('$page: data that can be read: $code', ({ code }) => {
  expect(parse(code)).toBeTypeOf('object');
});
