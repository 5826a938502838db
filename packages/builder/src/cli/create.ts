import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import {
  createBackend,
  type NewBackend,
  requireId,
  requirePackageName,
  suggestedDir,
  suggestedId,
} from '../create/create-backend.ts';
import {
  createDistribution,
  type NewDistribution,
  requireDistributionName,
  requireTitle,
  suggestedTitle,
} from '../create/create-distribution.ts';
import { UserError } from '../user-error.ts';
import type { CreateFlags, CreateKind } from './define-create.ts';
import { exitCodes } from './exit-codes.ts';

/** The command `create`. Resolves to its exit code. */
export async function createCommand(
  kind: CreateKind,
  name: string | undefined,
  flags: CreateFlags,
  signal: AbortSignal,
): Promise<number> {
  const cwd = process.cwd();
  const isAsking = flags.interactive && process.stdin.isTTY && process.stdout.isTTY && flags.logFormat !== 'json';
  using questions = isAsking ? openQuestions(signal) : undefined;
  const make = kind === 'backend' ? makeBackend : makeDistribution;
  const { made, words } = await make(name, flags, cwd, questions);
  process.stdout.write(
    flags.logFormat === 'json' ? `${JSON.stringify({ event: 'created', ...made })}\n` : `${words.join('\n')}\n`,
  );
  return exitCodes.done;
}

/** What was made, and what is said of it. */
interface Made {
  readonly made: NewBackend | NewDistribution;
  readonly words: readonly string[];
}

async function makeBackend(
  name: string | undefined,
  flags: CreateFlags,
  cwd: string,
  questions: Questions | undefined,
): Promise<Made> {
  const chosen =
    name ?? (await questions?.until('Name of the npm package', '', requirePackageName)) ?? lacks('backend');
  requirePackageName(chosen);
  const id = flags.id ?? (await questions?.until('Id of the backend in labels', suggestedId(chosen), requireId));
  const dir = flags.dir ?? (await questions?.until('Folder', suggestedDir(chosen), () => undefined));
  const made = await createBackend({
    cwd,
    name: chosen,
    ...(id === undefined ? {} : { id }),
    ...(dir === undefined ? {} : { dir }),
  });
  const folder = path.relative(cwd, made.dir) || '.';
  const words = [
    `${made.name} is in ${folder}: ${made.files.length} files of a backend "${made.id}" that works.`,
    'Next:',
    `  cd ${folder} && npm install`,
    '  npm test           # its tests and the conformance suite',
    '  npm run try        # a workflow on it, from its sources',
    'Then change src/ into what it shall be.',
  ];
  return { made, words };
}

async function makeDistribution(
  name: string | undefined,
  flags: CreateFlags,
  cwd: string,
  questions: Questions | undefined,
): Promise<Made> {
  const chosen =
    name ?? (await questions?.until('Name of the distribution', '', requireDistributionName)) ?? lacks('distribution');
  requireDistributionName(chosen);
  const title = flags.title ?? (await questions?.until('Name for people', suggestedTitle(chosen), requireTitle));
  const dir = flags.dir ?? (await questions?.until('Folder', chosen, () => undefined));
  const made = await createDistribution({
    cwd,
    name: chosen,
    ...(title === undefined ? {} : { title }),
    ...(dir === undefined ? {} : { dir }),
  });
  const folder = path.relative(cwd, made.dir) || '.';
  const words = [
    `${made.title} is in ${folder}: ${made.files.length} files that a runner is released from.`,
    'Next:',
    `  cd ${folder} && npm install`,
    '  npm run lock                       # chooses versions: commit the lock',
    '  npm run pack -- --release 0.1.0    # all files of a release',
    'What goes in stands in forgejo-runner.build.yaml, what lies beside the executable in files/.',
  ];
  return { made, words };
}

const examples = { backend: '@acme/backend-foo', distribution: 'acme-runner' } as const;

function lacks(kind: CreateKind): never {
  const what = kind === 'backend' ? 'the package' : 'the distribution';
  throw new UserError('FRB101', `create ${kind}: expected the name of ${what}, found none`, {
    next: `name it, such as forgejo-runner-build create ${kind} ${examples[kind]}`,
  });
}

/** Asks for what the command line does not say, until it can be right. */
interface Questions extends Disposable {
  readonly until: (question: string, suggestion: string, check: (answer: string) => void) => Promise<string>;
}

function openQuestions(signal: AbortSignal): Questions {
  const reading = createInterface({ input: process.stdin, output: process.stdout });
  return {
    until: async (question, suggestion, check) => {
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
    },
    [Symbol.dispose]: () => reading.close(),
  };
}
