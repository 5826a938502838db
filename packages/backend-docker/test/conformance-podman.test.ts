import { readFileSync } from 'node:fs';
import { backendConformance } from '@forgejo-runner/testkit/vitest';
import { beforeAll, describe } from 'vitest';
import { findEngine } from '../../../e2e/engines.ts';
import { loadTestImages } from '../../../e2e/images/load-images.ts';

/** Has this process the capability CAP_SYS_RESOURCE? */
function mayRaiseLimits(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> 24n) & 1n) === 1n;
}

// Some minutes more: at night. What CI runs on podman are workflows.
const isNight = process.env['FORGEJO_RUNNER_NIGHTLY'] !== undefined;
const engine = isNight ? await findEngine('podman') : undefined;
// Before the module is loaded that reads it, here and in child processes.
if (engine !== undefined) process.env['CONFORMANCE_ENGINE'] = engine.address;
const { conformance } = await import('./conformance-subject.ts');

describe.skipIf(engine === undefined)(`containers of podman${isNight ? '' : ' (at night only)'}`, () => {
  beforeAll(async () => {
    if (engine !== undefined) await loadTestImages(engine.address);
  });
  backendConformance({
    ...conformance,
    title: 'podman',
    // It hands on the PATH of the image, and takes no variable away.
    extraVariables: [...(conformance.extraVariables ?? []), 'PATH'],
    exceptions: {
      C39: 'it closes the whole connection when a program ends that did not read its input: the end is "lost", not guessed',
      ...(mayRaiseLimits()
        ? {}
        : { C62: 'it sets a limit of its own beside each that is asked for, which this machine forbids' }),
    },
  });
});
