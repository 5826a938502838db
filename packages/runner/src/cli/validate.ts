import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, relative, resolve } from 'node:path';
import type { Io } from '../io.ts';
import { checkCalls } from '../local/check-calls.ts';
import { ownWorkflows } from '../local/own-workflows.ts';
import { type Problem, problemText, quoted, UserError } from '../user-error.ts';
import type { Workflow } from '../workflow/model.ts';
import { parseWorkflow } from '../workflow/parse-workflow.ts';
import { strictCheckAction, strictCheckWorkflow } from '../workflow/strict-check.ts';
import { cloneRepository } from './clone-repository.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';
import { type CheckableFile, findCheckable } from './find-checkable.ts';

/** The command line of `validate`. */
export interface ValidateOptions {
  readonly path?: string;
  readonly directory?: string;
  readonly repository?: string;
  readonly clonedir?: string;
  readonly workflow?: boolean;
  readonly action?: boolean;
  readonly json?: boolean;
}

interface CheckedFile extends CheckableFile {
  readonly problems: readonly Problem[];
}

/** `validate`: checks a file, a folder or a repository, and fails when something is wrong. */
export async function validate(options: ValidateOptions, { io }: CommandContext): Promise<number> {
  if (options.path !== undefined) return report([await checkPath(options.path, options, io)], options, io);
  refuseKindOfMany(options);
  if (options.repository === undefined) {
    return report(await checkFolder(resolve(io.cwd, options.directory ?? '.'), io), options, io);
  }
  await using clone = await openClone(options.clonedir, io);
  await cloneRepository(options.repository, clone.path, io);
  return report(await checkFolder(clone.path, io), options, io);
}

async function checkPath(path: string, { workflow, action }: ValidateOptions, io: Io): Promise<CheckedFile> {
  const guessed = /^action\.ya?ml$/i.test(basename(path)) ? 'action' : 'workflow';
  const kind = action === true ? 'action' : workflow === true ? 'workflow' : guessed;
  return await checkFile({ kind, path: resolve(io.cwd, path), shown: path });
}

/** Which files are which shows in where they lie. */
function refuseKindOfMany({ workflow, action }: ValidateOptions): void {
  if (workflow !== true && action !== true) return;
  const flag = workflow === true ? '--workflow' : '--action';
  throw new UserError('FRR101', {
    problems: [{ message: `expected --path with ${flag}, found neither a file nor a reason to ask for one kind` }],
    next: `add --path FILE, or leave ${flag} out`,
  });
}

async function checkFolder(folder: string, io: Io): Promise<readonly CheckedFile[]> {
  const checked: CheckedFile[] = [];
  const own = ownWorkflows({ directory: folder, cwd: folder });
  for (const file of await findCheckable(folder, io.signal)) {
    checked.push(await checkFile(file, (workflow) => checkCalls(workflow, own, io.signal)));
  }
  if (checked.length > 0) return checked;
  throw new UserError('FRR305', {
    problems: [{ message: `expected workflows or actions in ${quoted(relative(io.cwd, folder) || '.')}, found none` }],
    next: 'workflows lie in .forgejo/workflows, actions are files called action.yml',
  });
}

/** Calls are checked only in a workflow that is right by itself. */
async function checkFile(
  file: CheckableFile,
  checkCallsOf: (workflow: Workflow) => Promise<readonly Problem[]> = async () => [],
): Promise<CheckedFile> {
  let text: string;
  try {
    text = await readFile(file.path, 'utf8');
  } catch (error) {
    const message = `expected a readable file, found ${(error as NodeJS.ErrnoException).code}`;
    return { ...file, problems: [{ message, at: { file: file.shown, line: 1, column: 1 } }] };
  }
  if (file.kind === 'action') return { ...file, problems: strictCheckAction(text, file.shown) };
  const problems = strictCheckWorkflow(text, file.shown);
  if (problems.length > 0) return { ...file, problems };
  return { ...file, problems: await checkCallsOf(parseWorkflow(text, file.shown)) };
}

function report(files: readonly CheckedFile[], options: ValidateOptions, io: Io): number {
  const isValid = files.every((file) => file.problems.length === 0);
  io.stdout.write(options.json === true ? jsonReport(files, isValid) : textReport(files));
  return isValid ? exitCodes.success : exitCodes.failure;
}

function textReport(files: readonly CheckedFile[]): string {
  const lines = files.flatMap(({ shown, kind, problems }) =>
    problems.length === 0 ? [`${shown}: ${kind} is valid`] : problems.map(problemText),
  );
  const wrong = files.filter((file) => file.problems.length > 0).length;
  const checked = `${files.length} ${files.length === 1 ? 'file' : 'files'} checked`;
  return `${[...lines, wrong === 0 ? `${checked}, all valid` : `${checked}, ${wrong} not valid`].join('\n')}\n`;
}

function jsonReport(files: readonly CheckedFile[], isValid: boolean): string {
  const list = files.map(({ shown, kind, problems }) => ({
    file: shown,
    kind,
    problems: problems.map(({ message, at }) => ({ message, line: at?.line ?? null, column: at?.column ?? null })),
  }));
  return `${JSON.stringify({ schema: 1, valid: isValid, files: list }, undefined, 2)}\n`;
}

/** Where a repository is cloned to: a folder of the user's, which stays, or one of ours, which goes. */
async function openClone(given: string | undefined, io: Io): Promise<AsyncDisposable & { readonly path: string }> {
  if (given !== undefined) return { path: resolve(io.cwd, given), [Symbol.asyncDispose]: async () => {} };
  const folder = await mkdtemp(join(tmpdir(), 'forgejo-runner-validate-'));
  return {
    path: join(folder, 'repository'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }),
  };
}
