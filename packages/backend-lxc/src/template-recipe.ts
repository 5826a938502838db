import { chmod, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { BackendError, type CallContext } from '@forgejo-runner/core';
import type { LxcConfig } from './config.ts';
import type { LxcLabel } from './label.ts';
import { findProgram, runToolOk, type ToolRun } from './lxc-commands.ts';

/** What a template is made of; two that are equal are the same template. */
export interface TemplateRecipe {
  readonly shown: string;
  readonly source:
    | {
        readonly kind: 'debootstrap';
        readonly release: string;
        readonly mirror: string;
        readonly packages: readonly string[];
      }
    | { readonly kind: 'archive'; readonly file: string }
    | { readonly kind: 'image'; readonly image: string; readonly engine: 'docker' | 'podman' };
  readonly idShift?: LxcConfig['id_map'];
}

interface Distribution {
  readonly mirror: string;
  readonly release: string;
}

const distributions: Readonly<Record<string, Distribution>> = {
  debian: { mirror: 'http://deb.debian.org/debian', release: 'bookworm' },
  ubuntu: { mirror: 'http://archive.ubuntu.com/ubuntu', release: 'noble' },
};

/** What an engine in a container needs. */
const enginePackages = ['docker.io', 'iptables'];

/** What a label asks for, as a recipe. @throws BackendError `label` for a template that is not known. */
export function templateRecipe(
  { template, release, presets, docker }: Pick<LxcLabel, 'template' | 'release' | 'presets' | 'docker'>,
  config: Pick<LxcConfig, 'templates' | 'packages' | 'mirror' | 'id_map'>,
): TemplateRecipe {
  const idShift = presets.includes('unprivileged') ? { idShift: config.id_map } : {};
  const own = Object.hasOwn(config.templates, template) ? config.templates[template] : undefined;
  if (own !== undefined) {
    if ('rootfs' in own) return { shown: template, source: { kind: 'archive', file: own.rootfs }, ...idShift };
    return { shown: template, source: { kind: 'image', image: own.image, engine: own.engine }, ...idShift };
  }
  const known = Object.hasOwn(distributions, template) ? distributions[template] : undefined;
  if (known === undefined) {
    const names = [...Object.keys(config.templates), ...Object.keys(distributions)].join(', ');
    throw new BackendError('label', `expected a template (${names}), found ${JSON.stringify(template)}`, {
      resource: template,
      hint: 'name one of them, or describe yours under "templates" of the backend',
    });
  }
  const name = release ?? known.release;
  const packages = [...new Set([...config.packages, ...(docker ? enginePackages : [])])].toSorted();
  return {
    shown: `${template}:${name}`,
    source: { kind: 'debootstrap', release: name, mirror: config.mirror ?? known.mirror, packages },
    ...idShift,
  };
}

/** Fills an empty folder with the root file system of a recipe. @throws BackendError `unavailable`. */
export async function fillRootfs({ source, shown }: TemplateRecipe, rootfs: string, ctx: CallContext): Promise<void> {
  const doing = `make the template ${shown}`;
  const run = (argv: ToolRun['argv']): Promise<string> =>
    runToolOk({ argv, doing, resource: shown, output: ctx.progress }, ctx);
  if (source.kind === 'debootstrap') {
    const include = source.packages.length === 0 ? [] : [`--include=${source.packages.join(',')}`];
    await run([findProgram('debootstrap'), '--variant=minbase', ...include, source.release, rootfs, source.mirror]);
    await rm(path.join(rootfs, 'var/cache/apt/archives'), { recursive: true, force: true });
    await rm(path.join(rootfs, 'var/lib/apt/lists'), { recursive: true, force: true });
  } else if (source.kind === 'archive') {
    await run([findProgram('tar'), '-x', '-p', '--numeric-owner', '--same-owner', '-f', source.file, '-C', rootfs]);
  } else {
    await exportImage(source, rootfs, run);
  }
  await prepare(rootfs);
}

async function exportImage(
  { engine, image }: { readonly engine: 'docker' | 'podman'; readonly image: string },
  rootfs: string,
  run: (argv: ToolRun['argv']) => Promise<string>,
): Promise<void> {
  const program = findProgram(engine);
  const id = (await run([program, 'create', '--', image, 'true'])).trim().split('\n').at(-1) ?? '';
  const archive = `${rootfs}.tar`;
  try {
    await run([program, 'export', '--output', archive, id]);
    await run([findProgram('tar'), '-x', '-p', '--numeric-owner', '--same-owner', '-f', archive, '-C', rootfs]);
  } finally {
    await rm(archive, { force: true });
    await run([program, 'rm', '-f', id]).catch(() => {});
  }
}

/** What a system that was never started leaves to its first start, and what must not be the same in all containers. */
async function prepare(rootfs: string): Promise<void> {
  await chmod(rootfs, 0o755);
  // Device files come from LXC.
  for (const name of await readdir(path.join(rootfs, 'dev')).catch(() => [])) {
    await rm(path.join(rootfs, 'dev', name), { recursive: true, force: true });
  }
  await rm(path.join(rootfs, 'etc/machine-id'), { force: true });
  await writeFile(path.join(rootfs, 'etc/machine-id'), '', { mode: 0o444 }).catch(() => {});
}
