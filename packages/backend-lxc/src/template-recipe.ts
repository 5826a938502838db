import { BackendError, type CallContext } from '@forgejo-runner/core';
import type { LxcConfig } from './config.ts';
import type { LxcLabel } from './label.ts';
import { findProgram, runToolOk, type ToolRun } from './lxc-commands.ts';
import type { RootAccess } from './root-access.ts';

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
export async function fillRootfs(
  { source, shown }: TemplateRecipe,
  { root, rootfs }: { readonly root: RootAccess; readonly rootfs: string },
  ctx: CallContext,
): Promise<void> {
  const doing = `make the template ${shown}`;
  const run = (argv: ToolRun['argv']): Promise<string> =>
    runToolOk({ argv: root.argv(argv), table: root.table, doing, resource: shown, output: ctx.progress }, ctx);
  if (source.kind === 'debootstrap') {
    const include = source.packages.length === 0 ? [] : [`--include=${source.packages.join(',')}`];
    await run([findProgram('debootstrap'), '--variant=minbase', ...include, source.release, rootfs, source.mirror]);
    await run(['/bin/sh', '-c', 'cd -- "$1" && rm -rf var/cache/apt/archives var/lib/apt/lists', 'clean', rootfs]);
  } else if (source.kind === 'archive') {
    await run([findProgram('tar'), '-x', '-p', '--numeric-owner', '--same-owner', '-f', source.file, '-C', rootfs]);
  } else {
    await exportImage(source, rootfs, run);
  }
  await run(['/bin/sh', '-c', prepare, 'prepare', rootfs]);
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
    await run(['/bin/rm', '-f', '--', archive]);
    await run([program, 'rm', '-f', id]).catch(() => {});
  }
}

// What a system that was never started leaves to its first start, and what must not be the same in all containers.
// Device files come from LXC.
const prepare = [
  'cd -- "$1" && chmod 0755 . || exit 1',
  'if [ -d dev ] && [ ! -L dev ]; then find dev -xdev -mindepth 1 -delete; fi',
  // An archive may have made a symlink of it, to anything of this machine.
  'if [ -d etc ] && [ ! -L etc ]; then rm -f etc/machine-id && (umask 0333; : > etc/machine-id); fi',
].join('\n');
