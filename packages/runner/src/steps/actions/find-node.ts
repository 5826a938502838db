import { isBackendError } from '@forgejo-runner/core';
import { UserError } from '../../user-error.ts';
import type { Action } from '../../workflow/model.ts';
import { probe } from '../run-process.ts';
import type { StepRun } from '../step-run.ts';

/** Finds out which Node.js the environment has, again only where a step changed the search path. */
export class NodeProbe {
  readonly #versions = new Map<string, string>();

  /**
   * @returns a warning where the version is older than the action asks for.
   * @throws UserError `FRR601` where there is none.
   */
  async check(
    run: StepRun,
    action: Action & { readonly runs: { readonly kind: 'node' } },
  ): Promise<string | undefined> {
    const { using, at } = action.runs;
    const path = JSON.stringify([run.job.state.path, run.job.state.env.get(run.job.place.info.env.pathName)]);
    const version = this.#versions.get(path) ?? (await readVersion(run));
    const wanted = Number(/\d+$/.exec(using)?.[0]);
    if (version === undefined) {
      throw new UserError('FRR601', {
        problems: [
          {
            at,
            message: `expected node in the environment for ${action.name ?? action.file} (using: ${using}), found no such program on its PATH`,
          },
        ],
        next: `use a label whose environment has Node.js ${wanted} or newer, or install it in an earlier step`,
      });
    }
    this.#versions.set(path, version);
    const major = Number(/^v(\d+)\./.exec(version)?.[1] ?? Number.NaN);
    if (!(major < wanted)) return undefined;
    return `${action.name ?? action.file} asks for Node.js ${wanted}, and the environment has ${version}`;
  }
}

async function readVersion(run: StepRun): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  try {
    const result = await probe(run, (chunk) => void chunks.push(Uint8Array.from(chunk)))(['node', '--version']);
    if (result.kind === 'exited' && result.code === 0) return Buffer.concat(chunks).toString().trim().slice(0, 100);
    // A step that is stopped learns nothing.
    return result.kind === 'stopped' ? '' : undefined;
  } catch (error) {
    if (isBackendError(error) && error.code === 'plan') return undefined;
    throw error;
  }
}
