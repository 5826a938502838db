import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { access, chmod, lstat, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { BackendError, type CallContext } from '@forgejo-runner/core';
import { removeTree } from '@forgejo-runner/kit';
import * as z from 'zod';
import type { LxcConfig } from './config.ts';
import { removeByRoot } from './job-folder.ts';
import type { LxcLabel } from './label.ts';
import { launcherProgram } from './launcher.ts';
import { findProgram } from './lxc-commands.ts';
import type { RootAccess } from './root-access.ts';
import { shiftOwners } from './shift-owners.ts';
import { fillRootfs, type TemplateRecipe, templateRecipe } from './template-recipe.ts';

/** A root file system that containers are made from, and never write to. */
export interface Template {
  readonly rootfs: string;
  /** A program `/sbin/init` is there to be started. */
  readonly hasInit: boolean;
}

const generationName = /^[0-9]{13}-[0-9a-f]{8}$/;
const recordName = 'template.json';
const recordSchema = z.object({ createdAt: z.number(), source: z.string() });

/** Makes templates once, for all runners of a machine that share the folder, and makes them again when they are old. */
export class TemplateStore {
  readonly #folder: string;
  readonly #config: LxcConfig;
  readonly #root: RootAccess;
  readonly #now: () => number;

  constructor(config: LxcConfig, root: RootAccess, now: () => number = Date.now) {
    this.#root = root;
    this.#folder = path.join(config.storage, 'templates');
    this.#config = config;
    this.#now = now;
  }

  /**
   * The template of a label. One that is too old and cannot be made again is used once more, with a warning.
   *
   * @throws BackendError `plan` for a template that is unknown, `unavailable` when it cannot be made.
   */
  async provide(
    label: Pick<LxcLabel, 'template' | 'release' | 'presets' | 'docker'>,
    ctx: CallContext,
  ): Promise<Template> {
    const recipe = templateRecipe(label, this.#config);
    const source = await sourceState(recipe);
    const key = createHash('sha256')
      .update(JSON.stringify([recipe, source]))
      .digest('hex')
      .slice(0, 24);
    const home = path.join(this.#folder, key);
    const fresh = await this.#newest(home);
    if (fresh !== undefined && !this.#isOld(fresh)) return templateOf(fresh.folder);
    await mkdir(home, { recursive: true, mode: 0o711 });
    await using _lock = await lockFile(path.join(home, 'lock'), ctx.signal);
    // Somebody else may have made it meanwhile.
    const newest = await this.#newest(home);
    if (newest !== undefined && !this.#isOld(newest)) return templateOf(newest.folder);
    try {
      const folder = await this.#make(home, recipe, ctx);
      await this.#removeOld(home, folder);
      return await templateOf(folder);
    } catch (error) {
      if (newest === undefined || ctx.signal.aborted) throw error;
      ctx.log.warn('an old template is used once more, because it cannot be made again', {
        template: recipe.shown,
        error: error instanceof Error ? error.message : String(error),
      });
      return templateOf(newest.folder);
    }
  }

  async #make(home: string, recipe: TemplateRecipe, ctx: CallContext): Promise<string> {
    await ctx.progress(Buffer.from(`Making the template ${recipe.shown}; later jobs use it again\n`));
    const generation = `${String(this.#now()).padStart(13, '0')}-${randomBytes(4).toString('hex')}`;
    const draft = path.join(home, `.making-${generation}`);
    const rootfs = path.join(draft, 'rootfs');
    try {
      await this.#removeDrafts(home);
      await mkdir(rootfs, { recursive: true, mode: 0o755 });
      await chmod(draft, 0o711);
      await fillRootfs(recipe, { root: this.#root, rootfs }, ctx);
      if (recipe.idShift !== undefined) await shiftOwners(this.#root, rootfs, recipe.idShift, ctx);
      await checkPrograms(recipe, rootfs);
      await writeFile(path.join(draft, recordName), JSON.stringify({ createdAt: this.#now(), source: recipe.shown }));
      const folder = path.join(home, generation);
      await rename(draft, folder);
      return folder;
    } catch (error) {
      await this.#remove(draft);
      throw error;
    }
  }

  async #newest(home: string): Promise<{ readonly folder: string; readonly createdAt: number } | undefined> {
    const names = (await readdir(home).catch(() => [])).filter((name) => generationName.test(name)).toSorted();
    for (const name of names.toReversed()) {
      const folder = path.join(home, name);
      const text = await readFile(path.join(folder, recordName), 'utf8').catch(() => '');
      const record = recordSchema.safeParse(parseJson(text));
      if (record.success) return { folder, createdAt: record.data.createdAt };
    }
    return undefined;
  }

  #isOld({ createdAt }: { readonly createdAt: number }): boolean {
    return this.#now() - createdAt > this.#config.template_max_age_hours * 3_600_000;
  }

  /** What a maker that was killed left: the lock is ours, so nobody makes any. */
  async #removeDrafts(home: string): Promise<void> {
    for (const name of await readdir(home)) {
      if (name.startsWith('.making-')) await this.#remove(path.join(home, name));
    }
  }

  /** Older ones that no container stands on. */
  async #removeOld(home: string, newest: string): Promise<void> {
    const used = await this.#usedRootfs();
    for (const name of await readdir(home)) {
      const folder = path.join(home, name);
      if (folder === newest || !generationName.test(name) || used.includes(path.join(folder, 'rootfs'))) continue;
      await this.#remove(folder);
    }
  }

  async #remove(folder: string): Promise<void> {
    await removeByRoot(this.#root, [path.join(folder, 'rootfs'), path.join(folder, 'rootfs.tar')]);
    await removeTree(folder, recordName);
  }

  async #usedRootfs(): Promise<readonly string[]> {
    const jobs = path.join(this.#config.storage, 'jobs');
    const texts = (await readdir(jobs).catch(() => [])).map((name) =>
      readFile(path.join(jobs, name, 'config'), 'utf8').catch(() => ''),
    );
    return (await Promise.all(texts)).flatMap(
      (text) => /^lxc\.rootfs\.path = overlay:([^:\n]+):/m.exec(text)?.[1] ?? [],
    );
  }
}

/** What every container needs: a shell, tar for files, and what starts programs. */
async function checkPrograms({ shown }: TemplateRecipe, rootfs: string): Promise<void> {
  for (const program of ['/bin/sh', '/bin/tar', launcherProgram]) {
    await lstat(path.join(rootfs, program)).catch(() => {
      throw new BackendError('plan', `expected ${program} in template ${shown}, found none`, {
        resource: shown,
        hint: `install it in the archive or image of the template`,
      });
    });
  }
}

async function templateOf(folder: string): Promise<Template> {
  const rootfs = path.join(folder, 'rootfs');
  const hasInit = await access(path.join(rootfs, 'lib/systemd/systemd')).then(
    () => true,
    () => false,
  );
  return { rootfs, hasInit };
}

/** An archive that was replaced makes another template. */
async function sourceState({ source }: TemplateRecipe): Promise<string> {
  if (source.kind !== 'archive') return '';
  try {
    const { mtimeMs, size } = await stat(source.file);
    return `${mtimeMs} ${size}`;
  } catch (error) {
    throw new BackendError(
      'unavailable',
      `expected an archive with a root file system at "${source.file}", found none`,
      {
        resource: source.file,
        cause: error,
        hint: 'correct "templates" of the backend',
      },
    );
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Waits for a lock that the kernel gives back when its holder dies, whoever that is: the program `flock` holds it for as
 * long as its input is open.
 */
async function lockFile(file: string, signal: AbortSignal): Promise<AsyncDisposable> {
  const holder = spawn(findProgram('flock'), [file, '/bin/sh', '-c', 'echo locked; exec cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {},
  });
  const exited = once(holder, 'exit');
  exited.catch(() => {});
  holder.stdin.on('error', () => {});
  const stop = (): boolean => holder.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  try {
    const first = await Promise.race([once(holder.stdout, 'data').then(() => 'locked'), exited.then(() => 'ended')]);
    if (signal.aborted) throw new BackendError('cancelled', 'waiting for a template was cancelled');
    if (first !== 'locked') throw new BackendError('unavailable', `cannot lock "${file}"`, { resource: file });
  } catch (error) {
    stop();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
  return {
    [Symbol.asyncDispose]: async () => {
      holder.stdin.end();
      await exited;
    },
  };
}
