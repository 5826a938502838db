import { writeFile } from 'node:fs/promises';
import { parseTargets } from '../package/target.ts';
import path from 'node:path';
import { newManifest } from '../manifest/edit-manifest.ts';
import { layerFromFlags } from '../manifest/layer.ts';
import { manifestName } from '../manifest/load-manifest.ts';
import type { WrittenManifest } from '../manifest/manifest-schema.ts';
import { UserError } from '../user-error.ts';
import { exitCodes } from './exit-codes.ts';
import type { BuildFlags } from './flags.ts';

/** The command `init`: a new manifest with what the flags say. Resolves to its exit code. */
export async function initCommand(flags: BuildFlags): Promise<number> {
  const cwd = process.cwd();
  // What is wrong with a flag is said before anything is written.
  layerFromFlags(flags, cwd);
  const file = path.resolve(cwd, typeof flags.manifest === 'string' ? flags.manifest : manifestName);
  try {
    await writeFile(file, newManifest(writtenFrom(flags)), { flag: 'wx' });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new UserError('FRB206', `${file} is there already`, {
      next: 'change it with add and remove, or by hand',
      cause,
    });
  }
  process.stdout.write(`wrote ${file}\n`);
  return exitCodes.done;
}

function writtenFrom(flags: BuildFlags): WrittenManifest {
  const written = {
    with: flags.with,
    without: flags.without,
    replace: pairs(flags.replace),
    'allow-untyped': flags.allowUntyped,
    override: pairs(flags.override),
    native: pairs(flags.native),
    'min-release-age': flags.minReleaseAge,
    'allow-fresh': flags.allowFresh,
    'allow-scripts': flags.allowScripts,
    'deny-license': flags.denyLicense,
    budget: pairs(flags.budget),
    strict: flags.strict,
    'smoke-run': flags.smokeRun === false ? false : undefined,
    output: flags.output,
    sea: flags.sea,
    target: flags.target === undefined ? undefined : parseTargets(flags.target),
  };
  return Object.fromEntries(Object.entries(written).filter(([, value]) => value !== undefined));
}

function pairs(texts: readonly string[] | undefined): Record<string, string> | undefined {
  return texts === undefined ? undefined : Object.fromEntries(texts.map(split));
}

function split(text: string): [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}
