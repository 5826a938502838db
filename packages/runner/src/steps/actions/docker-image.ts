import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { isBelow, joinInside } from '../../environment/job-paths.ts';
import { readFile } from '../../environment/target-files.ts';
import { UserError } from '../../user-error.ts';
import { openStepCall, type StepRun } from '../step-run.ts';
import { buildContext, type ContextSource } from './build-context.ts';
import type { FoundDockerAction } from './docker-action.ts';
import { readDockerIgnore } from './docker-ignore.ts';
import { actionFile } from './find-action.ts';

/** Long enough for any list of what to ignore. */
const maxIgnoreBytes = 1024 * 1024;

/** The image of a Docker action; one from a Dockerfile is built for the first of its stages. */
export async function actionImage(run: StepRun, found: FoundDockerAction): Promise<string> {
  const { image } = found.action.runs;
  if (image.startsWith('docker://')) return image.slice('docker://'.length);
  const memory = run.job.actions.of(run.key);
  memory.image ??= await build(run, found);
  return memory.image;
}

async function build(run: StepRun, found: FoundDockerAction): Promise<string> {
  const { place } = run.job;
  const { image } = found.action.runs;
  using ctx = openStepCall(run);
  const dockerfile = posix.basename(image.replaceAll('\\', '/'));
  const source =
    found.remote === undefined ? await localSource(run, found, dockerfile) : await remoteSource(run, found, dockerfile);
  await run.log.line(`Building the image of ${found.action.name ?? found.action.file} from ${image}`);
  const built = await place.containers.buildImage?.(
    { context: buildContext(source), dockerfile, tag: tagOf(run, found), buildArgs: {}, output: ctx.progress },
    ctx,
  );
  if (built === undefined) throw new Error('the environment lost its image builds');
  return built.image;
}

/** A remote action has one image for each of its commits; one of the workspace has one for each job. */
function tagOf(run: StepRun, { remote, action }: FoundDockerAction): string {
  const what =
    remote === undefined
      ? [run.job.place.environment.name, run.key]
      : [remote.repository.id, remote.reference.path, action.runs.image];
  return `forgejo-runner-action:${createHash('sha256').update(what.join('\n')).digest('hex').slice(0, 32)}`;
}

/** The context of a build is the folder of the Dockerfile, as on GitHub. */
async function remoteSource(run: StepRun, found: FoundDockerAction, dockerfile: string): Promise<ContextSource> {
  const { reference, repository } = found.remote ?? missing();
  const file = posix.join(reference.path, found.action.runs.image);
  if (file.startsWith('../') || posix.isAbsolute(file)) actionFile(run, found, found.action.runs.image);
  const folder = posix.dirname(file) === '.' ? '' : posix.dirname(file);
  const ignore = folder === '' ? '.dockerignore' : `${folder}/.dockerignore`;
  const files = await repository.readFiles([file, ignore], run.signal);
  if (!files.has(file)) throw noDockerfile(found);
  const isIgnored = readDockerIgnore(files.get(ignore)?.toString() ?? '');
  return { tar: repository.archive(folder, run.signal), strip: 0, isIgnored, kept: [dockerfile, '.dockerignore'] };
}

async function localSource(run: StepRun, found: FoundDockerAction, dockerfile: string): Promise<ContextSource> {
  const { info, target } = run.job.place;
  const file = actionFile(run, found, found.action.runs.image);
  const folder = joinInside(info, file, '..');
  if (!isBelow(info, info.paths.workspace, folder)) throw noDockerfile(found);
  using ctx = openStepCall(run);
  if ((await readFile(target, file, maxIgnoreBytes, ctx)) === undefined) throw noDockerfile(found);
  const ignore = await readFile(target, joinInside(info, folder, '.dockerignore'), maxIgnoreBytes, ctx);
  const isIgnored = readDockerIgnore(ignore === undefined ? '' : Buffer.from(ignore).toString());
  return { tar: copyOut(run, folder), strip: 1, isIgnored, kept: [dockerfile, '.dockerignore'] };
}

/** The call ends with the stream, not with the function that hands it out. */
async function* copyOut(run: StepRun, src: string): AsyncGenerator<Uint8Array> {
  using ctx = openStepCall(run);
  yield* run.job.place.target.copyOut({ src }, ctx);
}

function noDockerfile({ action }: FoundDockerAction): UserError {
  return new UserError('FRR602', {
    problems: [
      {
        at: action.runs.at,
        message: `expected the Dockerfile ${JSON.stringify(action.runs.image)} beside the action, found none`,
      },
    ],
    next: 'name the Dockerfile by its path from action.yml, or an image by docker://',
  });
}

function missing(): never {
  throw new Error('a local action has no repository');
}
