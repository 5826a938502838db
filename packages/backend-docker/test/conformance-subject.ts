import { type ConformanceOptions, defineConformance } from '@forgejo-runner/testkit';
import { factory } from '@forgejo-runner/backend-docker';
import { askEngine } from '../../../e2e/images/engine-api.ts';

/** Address of the engine. In the environment, because child processes of the suite load this module as well. */
const address = process.env['CONFORMANCE_ENGINE'] ?? 'unix:///var/run/docker.sock';
const images = 'forgejo-runner-test/';

/** The objects of runners of the suite, by what the engine itself says. */
async function inventory(): Promise<readonly string[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: ['org.forgejo.runner.runner'] }));
  const list = async (path: string, key?: string): Promise<readonly string[]> => {
    const { text } = await askEngine(address, { path });
    const answer: unknown = JSON.parse(text);
    // The interface of engines has it so since version 1.0.
    const all = (key === undefined ? answer : (answer as Record<string, unknown>)[key]) as readonly Listed[] | null;
    const own = (all ?? []).filter(({ Labels }) => Labels?.['org.forgejo.runner.runner']?.startsWith('conformance-'));
    return own.map(({ Id, Name }) => `${path.split('?')[0]} ${Id ?? Name}`);
  };
  const lists = await Promise.all([
    list(`/containers/json?all=true&filters=${filters}`),
    list(`/networks?filters=${filters}`),
    list(`/volumes?filters=${filters}`, 'Volumes'),
  ]);
  return lists.flat();
}

interface Listed {
  readonly Id?: string;
  readonly Name?: string;
  readonly Labels?: Readonly<Record<string, string>>;
}

/** What the conformance suite checks of this backend, on the engine that the environment names. */
export const conformance: ConformanceOptions = defineConformance({
  factory,
  label: `test:docker://${images}debian:1?pull=never`,
  labels: [`test:docker://${images}small:1?platform=linux/amd64`],
  config: { endpoint: address },
  endpoint: {
    socket: address.slice('unix://'.length),
    configFor: (socket) => ({ endpoint: `unix://${socket}` }),
  },
  inventory,
  images: {
    shell: `${images}small:1`,
    scratch: { image: `${images}program:1`, argv: ['/echo', 'ran'] },
    late: { image: `${images}late:1`, port: 8080 },
    unhealthy: { image: `${images}unhealthy:1`, says: 'the disk is on fire' },
    quits: { image: `${images}quits:1`, says: 'no configuration found' },
  },
  user: { name: 'nobody', uid: 65_534 },
  // Engines set them themselves: HOME from the user of the image, podman the other two.
  extraVariables: ['HOME', 'TERM', 'container'],
  subject: import.meta.filename,
});
