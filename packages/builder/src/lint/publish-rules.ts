import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Message, publint } from 'publint';
import { formatMessage } from 'publint/utils';
import type { AuthorPackage } from './author-package.ts';
import type { PublishedFiles } from './file-rules.ts';
import type { EditedPackage, Remark } from './finding.ts';

/** Remarks of publint that rules of ours make, with what a backend needs. */
const others: ReadonlySet<Message['code']> = new Set(['USE_LICENSE', 'USE_SIDE_EFFECTS', 'USE_ENGINES_NODE']);

/** Checks what package.json names against the files that would be published, by publint. */
export async function checkExports(subject: AuthorPackage, published: PublishedFiles): Promise<readonly Remark[]> {
  const files = await Promise.all(
    published.paths.map(async (file) => ({
      name: `package/${file}`,
      data: await readFile(path.join(subject.dir, file)),
    })),
  );
  const { messages } = await publint({ pkgDir: 'package', strict: true, pack: { files } });
  return messages
    .filter(({ code }) => !others.has(code))
    .map((message) => ({
      rule: 'exports',
      severity: message.type === 'error' ? 'error' : 'warning',
      message: formatMessage(message, subject.json, { color: false }) ?? message.code,
      next:
        message.code === 'FILE_DOES_NOT_EXIST'
          ? 'build the package, name the file in "files", or correct the path'
          : `see https://publint.dev/rules#${message.code.toLowerCase()}`,
      at: message.path,
      ...fixOf(message),
    }));
}

function fixOf(message: Message): Pick<Remark, 'fix'> {
  if (message.code !== 'EXPORTS_TYPES_SHOULD_BE_FIRST') return {};
  return {
    fix: (edited) => {
      let conditions = edited;
      for (const key of message.path.slice(0, -1)) conditions = conditions[key] as EditedPackage;
      const { types } = conditions;
      const rest = Object.entries(conditions).filter(([key]) => key !== 'types');
      for (const key of Object.keys(conditions)) delete conditions[key];
      Object.assign(conditions, { types }, Object.fromEntries(rest));
    },
  };
}
