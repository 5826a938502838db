// Links between the pages of this repository lead somewhere: the file is there, and so is the heading after `#`.
//
// node scripts/check-links.mjs [folder], by default the repository
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..'));
const anchors = new Map();
const problems = [];
let looked = 0;
const isForeign = (path) => path.split(sep).some((part) => part === 'node_modules' || part === 'dist');
for (const path of globSync('**/*.md', { cwd: root, exclude: isForeign }).toSorted()) {
  for (const { line, target } of linksOf(readFileSync(join(root, path), 'utf8'))) {
    looked += 1;
    const problem = problemOf(resolve(root, path), target);
    if (problem !== undefined) problems.push(`${path}:${line}: ${target}: ${problem}`);
  }
}
if (looked === 0) problems.push(`${root}: expected pages with links, found none; the check would prove nothing`);
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exitCode = 1;
} else {
  console.log(`${looked} links between pages lead somewhere`);
}

/** Relative links of a page, both inline ones and definitions. What stands in code is no link. */
function linksOf(text) {
  let fence;
  return text.split('\n').flatMap((row, index) => {
    const mark = /^ *(`{3,}|~{3,})/.exec(row)?.[1];
    if (mark !== undefined && (fence === undefined || mark.startsWith(fence))) {
      fence = fence === undefined ? mark : undefined;
      return [];
    }
    if (fence !== undefined) return [];
    const words = row.replaceAll(/(`+).*?\1/g, '');
    return [...words.matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)|^ *\[[^\]]+\]: *<?(\S+?)>?$/g)]
      .map(([, inline, definition]) => ({ line: index + 1, target: inline ?? definition }))
      .filter(({ target }) => !/^[a-z][a-z+.-]*:/i.test(target));
  });
}

function problemOf(page, target) {
  const [path, anchor] = target.split('#', 2);
  const file = path === '' ? page : resolve(dirname(page), decodeURIComponent(path));
  if (relative(root, file).startsWith('..')) return 'expected a file of this repository';
  if (!existsSync(file)) return 'expected a file or folder, found nothing';
  if (anchor === undefined) return undefined;
  if (statSync(file).isDirectory() || !file.endsWith('.md')) return 'expected a page, which has headings';
  return anchorsOf(file).has(anchor) ? undefined : `expected a heading "#${anchor}", found none`;
}

/** As forges make them: lower case, spaces as dashes, no other punctuation, a number for the second of a name. */
function anchorsOf(file) {
  if (!anchors.has(file)) {
    const found = new Map();
    for (const [, heading] of readFileSync(file, 'utf8').matchAll(/^#{1,6} +(.+?) *$/gm)) {
      const slug = heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(/\s/g, '-');
      const times = found.get(slug) ?? 0;
      found.set(slug, times + 1);
      if (times > 0) found.set(`${slug}-${times}`, 1);
    }
    anchors.set(file, new Set(found.keys()));
  }
  return anchors.get(file);
}
