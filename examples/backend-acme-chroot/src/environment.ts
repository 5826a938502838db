import { mkdir, mkdtemp, rename, writeFile, chmod, chown } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BackendError,
  type CallContext,
  type EnvironmentInfo,
  type EnvironmentRequest,
  type ExecutionEnvironment,
  type RemoveReport,
  type RunnerArch,
} from '@forgejo-runner/core';
import { cancelled, errnoOf } from '@forgejo-runner/kit';
import { copyIn, copyOut } from './copy.ts';
import { execInside } from './exec.ts';
import type { ChrootLabel } from './label.ts';
import { ownerFile, ownerFileName, unnamed } from './owner-file.ts';
import { platformError } from './platform-errors.ts';
import { removeTree } from './remove-tree.ts';
import { insidePaths, layOutRoot } from './root-folder.ts';
import { openSandbox, type Sandbox } from './sandbox.ts';
import type { Tools } from './tools.ts';

/** What all environments of a backend have in common. */
export interface Place {
  readonly tools: Tools;
  /** Folder that holds one folder for each environment. */
  readonly parent: string;
  readonly mounts: readonly string[];
  /** Who owns the files, where the runner is root. */
  readonly userId: number | undefined;
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const architectures: Readonly<Record<string, RunnerArch>> = { x64: 'X64', arm64: 'ARM64', arm: 'ARM', ia32: 'X86' };

/** Makes the folder and the namespaces of one job. Leaves nothing where that fails. */
export async function createEnvironment(
  place: Place,
  request: EnvironmentRequest & { readonly options: ChrootLabel },
  ctx: CallContext,
): Promise<ExecutionEnvironment> {
  const { name } = request;
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(name)) {
    throw new BackendError('plan', `expected a name of a-z, 0-9 and "-", found ${JSON.stringify(name)}`);
  }
  if (ctx.signal.aborted) throw cancelled(`creating "${name}"`);
  const folder = await makeFolder(place, request);
  try {
    const root = join(folder, 'root');
    const wanted = [...place.mounts, ...request.options.mount];
    const mounts = await layOutRoot(root, wanted, place.userId);
    const missing = wanted.filter((mount) => !mounts.includes(mount));
    if (missing.length > 0)
      throw new BackendError('unavailable', `expected the folders ${missing.join(', ')}, found none`);
    const { network } = request.options;
    const sandbox = await openSandbox(
      place.tools,
      { name, root, mounts, network, expiresAt: request.expiresAt },
      ctx.signal,
    );
    return environment(name, folder, sandbox);
  } catch (error) {
    await removeTree(folder).catch(() => {});
    if (ctx.signal.aborted) throw cancelled(`creating "${name}"`);
    throw platformError(error, 'set up', folder);
  }
}

/** The folder gets its owner first and its name second, so that no moment leaves one without an owner. */
async function makeFolder(place: Place, { name, owner, expiresAt }: EnvironmentRequest): Promise<string> {
  const folder = join(place.parent, name);
  try {
    const fresh = await mkdtemp(join(place.parent, `${unnamed}${owner.boot.slice(0, 8)}-`));
    await writeFile(join(fresh, ownerFileName), JSON.stringify(await ownerFile(owner, expiresAt)), { mode: 0o600 });
    await mkdir(join(fresh, 'root'), { mode: 0o755 });
    if (place.userId !== undefined) await chown(join(fresh, 'root'), place.userId, place.userId);
    if (place.userId !== undefined) await chmod(fresh, 0o711);
    await rename(fresh, folder).catch(async (error: unknown) => {
      await removeTree(fresh);
      throw error;
    });
    return folder;
  } catch (error) {
    if (errnoOf(error) === 'ENOTEMPTY' || errnoOf(error) === 'EEXIST') {
      throw new BackendError('plan', `an environment "${name}" is there already`, { resource: name, cause: error });
    }
    throw platformError(error, 'make', folder);
  }
}

function environment(name: string, folder: string, sandbox: Sandbox): ExecutionEnvironment {
  const info: EnvironmentInfo = {
    os: 'Linux',
    arch: architectures[process.arch] ?? process.arch,
    paths: insidePaths,
    env: { caseInsensitive: false, pathName: 'PATH', pathSeparator: ':', defaultPath: path },
    pathStyle: 'posix',
  };
  const remove = async (): Promise<RemoveReport> => {
    try {
      await sandbox.close();
      await removeTree(folder);
      return { removed: [name], leaked: [] };
    } catch (error) {
      return { removed: [], leaked: [{ resource: folder, error: String(error) }] };
    }
  };
  return {
    id: String(sandbox.initPid),
    name,
    info,
    target: {
      baseEnv: { PATH: path, HOME: insidePaths.home, LANG: 'C.UTF-8', USER: 'root' },
      exec: (request, ctx) => execInside(sandbox, request, ctx),
      copyIn: (request, ctx) => copyIn(sandbox, request, ctx),
      copyOut: (request, ctx) => copyOut(sandbox, request, ctx),
    },
    state: async () => (sandbox.isAlive() ? { alive: true } : { alive: false, reason: 'stopped' }),
    remove,
    [Symbol.asyncDispose]: async () => {
      await remove();
    },
  };
}
