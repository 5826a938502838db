import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { ResolvedBackend } from '../resolve/resolved-package.ts';
import { runChild } from '../run-child.ts';
import { shown, throwAll, UserError } from '../user-error.ts';

/** How to start what was built: a program and its first arguments. */
export interface Artefact {
  readonly command: string;
  readonly args: readonly string[];
  /** By a program that stands in for another processor, and needs its time. */
  readonly isEmulated?: boolean;
}

/** What the result answered. */
export interface SmokeReport {
  readonly backends: readonly ListedBackend[];
  /** From start to exit. */
  readonly startMs: number;
}

/** A backend as the result lists it. */
export interface ListedBackend {
  readonly id: string;
  readonly description?: string | null | undefined;
  readonly package?: string | null | undefined;
  readonly version?: string | null | undefined;
  /** How long its package took to be imported. */
  readonly importMs?: number | null | undefined;
}

const answerSchema = z.object({
  schema: z.literal(1),
  backends: z.array(
    z.object({
      id: z.string(),
      description: z.string().nullish(),
      // Null when nothing says where a factory came from.
      package: z.string().nullish(),
      version: z.string().nullish(),
      importMs: z.number().nullish(),
    }),
  ),
});

const limitMs = 20_000;
const emulatedLimitMs = 240_000;

/**
 * Starts the result with `list-backends --json` in an empty folder and an empty environment, and compares the answer
 * with what was planned.
 *
 * @throws UserError `FRB407`, `FRB501`, `FRB505`, `FRB506`
 */
export async function smokeRun(
  artefact: Artefact,
  planned: readonly ResolvedBackend[],
  workDir: string,
  signal: AbortSignal,
): Promise<SmokeReport> {
  const cwd = path.join(workDir, 'empty');
  await mkdir(cwd, { recursive: true });
  const start = performance.now();
  const result = await runLimited(artefact, cwd, signal);
  const startMs = Math.round(performance.now() - start);
  if (result.code !== 0) throw didNotStart(result.stderr || result.stdout, result.code ?? result.killedBy);
  const backends = readAnswer(result.stdout);
  const errors = compareWithPlan(backends, planned);
  throwAll(await Promise.all(errors.map((error) => withExports(error, planned, workDir))));
  return { backends, startMs };
}

/** Whoever registered nothing may have exported the factory by another name. */
async function withExports(error: UserError, planned: readonly ResolvedBackend[], workDir: string): Promise<UserError> {
  const backend = planned.find(
    (one) => error.code === 'FRB501' && error.message.startsWith(`${one.name}@${one.version} `),
  );
  if (backend === undefined) return error;
  const { listExports } = await import('./list-exports.ts');
  const names = await listExports(`${backend.name}${backend.field.export.slice(1)}`, workDir);
  const list = names.length === 0 ? '' : `; it exports ${names.slice(0, 10).join(', ')}, expected factory`;
  return new UserError(error.code, `${error.message}${list}`, { next: error.next });
}

async function runLimited(artefact: Artefact, cwd: string, signal: AbortSignal): ReturnType<typeof runChild> {
  const ms = artefact.isEmulated === true ? emulatedLimitMs : limitMs;
  const limited = AbortSignal.any([signal, AbortSignal.timeout(ms)]);
  const args = [...artefact.args, 'list-backends', '--json'];
  try {
    return await runChild(artefact.command, args, { cwd, env: {}, outputLimitBytes: 4 << 20 }, limited);
  } catch (error) {
    signal.throwIfAborted();
    if (limited.aborted) throw new UserError('FRB506', `list-backends of the result did not end within ${ms / 1000} s`);
    throw new UserError('FRB506', `the result could not be started: ${(error as Error).message}`, { cause: error });
  }
}

function didNotStart(output: string, how: number | string | undefined): UserError {
  // At the beginning of a line: Node also prints the source line that threw, with its placeholders.
  const twice = /^\w+Error: backend "([^"]+)" is provided by (\S+) and by (\S+?):/m.exec(output);
  if (twice !== null) {
    return new UserError('FRB407', `backend "${twice[1]}" is provided by ${twice[2]} and ${twice[3]}`);
  }
  const lines = shown(output)
    .split('\n')
    .filter((line) => line.trim() !== '');
  const said = lines.find((line) => /^(?:\w*Error|FRR\d+)\b/.test(line)) ?? lines[0] ?? 'nothing';
  return new UserError('FRB506', `list-backends of the result ended with ${how}; it printed: ${shown(said, 300)}`, {
    details: shown(output, 8000),
  });
}

function readAnswer(stdout: string): readonly ListedBackend[] {
  try {
    return answerSchema.parse(JSON.parse(stdout)).backends;
  } catch (cause) {
    throw new UserError('FRB506', `expected the list of backends as JSON, found ${shown(stdout, 200) || 'nothing'}`, {
      cause,
    });
  }
}

/** All differences between what registered and what the packages declare. */
export function compareWithPlan(
  listed: readonly ListedBackend[],
  planned: readonly ResolvedBackend[],
): readonly UserError[] {
  const errors = planned.flatMap((backend) => {
    const title = `${backend.name}@${backend.version}`;
    const ids = listed.filter((one) => one.package === backend.name).map((one) => one.id);
    if (ids.length === 0) return [new UserError('FRB501', `${title} was imported but registered no backend`)];
    const missing = backend.field.backends.filter((id) => !ids.includes(id));
    const extra = ids.filter((id) => !backend.field.backends.includes(id));
    if (missing.length === 0 && extra.length === 0) return [];
    const declared = backend.field.backends.join(', ');
    return [new UserError('FRB505', `${title} declares ${declared} in package.json but registered ${ids.join(', ')}`)];
  });
  const foreign = listed.filter((one) => !planned.some((backend) => backend.name === one.package));
  return [
    ...errors,
    ...foreign.map(
      (one) => new UserError('FRB505', `backend "${one.id}" registered, but no chosen package declares it`),
    ),
  ];
}
