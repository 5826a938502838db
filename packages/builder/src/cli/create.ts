import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import {
  createBackend,
  type NewBackend,
  requireId,
  requirePackageName,
  suggestedId,
} from '../create/create-backend.ts';
import { UserError } from '../user-error.ts';
import type { CreateFlags } from './define-create.ts';
import { exitCodes } from './exit-codes.ts';

/** The command `create backend`. Resolves to its exit code. */
export async function createCommand(
  name: string | undefined,
  flags: CreateFlags,
  signal: AbortSignal,
): Promise<number> {
  const cwd = process.cwd();
  const isAsking = flags.interactive && process.stdin.isTTY && process.stdout.isTTY && flags.logFormat !== 'json';
  const answers = isAsking ? await ask(name, flags, signal) : { name: given(name), ...flags };
  const made = await createBackend({
    cwd,
    name: answers.name,
    ...(answers.id === undefined ? {} : { id: answers.id }),
    ...(answers.dir === undefined ? {} : { dir: answers.dir }),
  });
  process.stdout.write(
    flags.logFormat === 'json' ? `${JSON.stringify({ event: 'created', ...made })}\n` : words(made, cwd),
  );
  return exitCodes.done;
}

function given(name: string | undefined): string {
  if (name !== undefined) return name;
  throw new UserError('FRB101', 'create backend: expected the name of the package, found none', {
    next: 'name it, such as forgejo-runner-build create backend @acme/backend-foo',
  });
}

type Answers = Pick<CreateFlags, 'id' | 'dir'> & { readonly name: string };

/** Asks for what the command line does not say, until it can be right. */
async function ask(name: string | undefined, flags: CreateFlags, signal: AbortSignal): Promise<Answers> {
  using reading = createInterface({ input: process.stdin, output: process.stdout });
  const until = async (question: string, suggestion: string, check: (answer: string) => void): Promise<string> => {
    for (;;) {
      const shown = suggestion === '' ? question : `${question} (${suggestion})`;
      const answer = (await reading.question(`${shown}: `, { signal })).trim() || suggestion;
      try {
        check(answer);
        return answer;
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        process.stdout.write(`  ${error.message}\n  ${error.next}\n`);
      }
    }
  };
  const chosen = name ?? (await until('Name of the npm package', '', requirePackageName));
  requirePackageName(chosen);
  const id = flags.id ?? (await until('Id of the backend in labels', suggestedId(chosen), requireId));
  const dir = flags.dir ?? (await until('Folder', chosen.split('/').at(-1) ?? chosen, () => undefined));
  return { name: chosen, id, dir };
}

function words({ name, id, dir, files }: NewBackend, cwd: string): string {
  const folder = path.relative(cwd, dir) || '.';
  return [
    `${name} is in ${folder}: ${files.length} files of a backend "${id}" that works.`,
    'Next:',
    `  cd ${folder} && npm install`,
    '  npm test           # its tests and the conformance suite',
    '  npm run try        # a workflow on it, from its sources',
    'Then change src/ into what it shall be.',
    '',
  ].join('\n');
}
