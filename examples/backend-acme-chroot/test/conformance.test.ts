import { spawnSync } from 'node:child_process';
import { backendConformance } from '@forgejo-runner/testkit/vitest';
import { afterAll, describe } from 'vitest';
import { conformance, removeParent } from './conformance-subject.ts';

/** Why this machine cannot make a sandbox. In CI that is a failure, elsewhere a reason to skip. */
function whyNot(): string | undefined {
  if (process.env['CI'] !== undefined) return undefined;
  const namespaces = ['--user', '--map-root-user', '--mount', '--pid', '--fork', '--mount-proc'];
  const tried = spawnSync('unshare', [...namespaces, 'true'], { encoding: 'utf8' });
  return tried.status === 0 ? undefined : `no sandbox here: ${tried.error?.message ?? tried.stderr.trim()}`;
}

const why = whyNot();

describe.skipIf(why !== undefined)(`a sandbox of namespaces${why === undefined ? '' : ` (${why})`}`, () => {
  afterAll(removeParent);
  backendConformance(conformance);
});
