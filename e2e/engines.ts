import { stat } from 'node:fs/promises';
import { askEngine } from './images/engine-api.ts';

/** A container engine of this machine. */
export interface Engine {
  readonly name: 'docker' | 'podman' | 'rootless podman';
  /** Such as `unix:///var/run/docker.sock`. */
  readonly address: string;
}

const addresses: readonly Engine[] = [
  { name: 'docker', address: process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock' },
  { name: 'podman', address: process.env['FORGEJO_RUNNER_TEST_PODMAN'] ?? 'unix:///run/podman/podman.sock' },
  { name: 'rootless podman', address: process.env['FORGEJO_RUNNER_TEST_PODMAN_ROOTLESS'] ?? ownPodman() },
];

/**
 * The engine of that name, or undefined on a machine of a user that lacks it: tests of containers skip there.
 *
 * @throws Error in CI, where `scripts/with-engines.sh` has to have started all of them.
 */
export async function findEngine(name: Engine['name']): Promise<Engine | undefined> {
  const engine = addresses.find((one) => one.name === name);
  if (engine !== undefined && (await answers(engine.address))) return engine;
  if (process.env['CI'] === undefined) return undefined;
  throw new Error(
    `expected ${name} at ${engine?.address}, found no answer; next: run tests by scripts/with-engines.sh`,
  );
}

async function answers(address: string): Promise<boolean> {
  const isSocket = await stat(address.replace('unix://', '')).then(
    (found) => found.isSocket(),
    () => false,
  );
  if (!isSocket) return false;
  return askEngine(address, { path: '/version' }).then(
    ({ status }) => status === 200,
    () => false,
  );
}

function ownPodman(): string {
  return `unix://${process.env['XDG_RUNTIME_DIR'] ?? `/run/user/${process.getuid?.() ?? 0}`}/podman/podman.sock`;
}
