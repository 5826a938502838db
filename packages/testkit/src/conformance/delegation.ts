import { request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { BackendError, type DockerEndpointDescriptor, type ExecutionEnvironment } from '@forgejo-runner/core';
import { eventually } from '../eventually.ts';
import type { Check } from './check.ts';
import { describeError, expectRejection, expectSame, expectThat, show } from './expectations.ts';
import * as gates from './gates.ts';
import {
  endlessScript,
  imageHealthcheck,
  imageOf,
  type JobContainers,
  openJobContainers,
  runStep,
  serviceSpec,
  stepSpec,
} from './job-containers.ts';
import { reach } from './reach.ts';
import { freshName, promptMs, type Stage, within } from './stage.ts';

/** Endpoints that environments hand out, for the Docker driver to make containers at. */
export const delegation: readonly Check[] = [
  {
    id: 'C66',
    title: 'containers of an endpoint run within the target, see its folders, and publish ports where it says',
    gate: gates.endpoint,
    needs: 'option images.shell; for ports: images.late',
    run: async (stage) => {
      const { late } = stage.options.images ?? {};
      const services =
        late === undefined
          ? []
          : [serviceSpec(late.image, 'web', { ports: [{ container: late.port, protocol: 'tcp' }] })];
      const made = await openJobContainers(stage, { services, stepContainers: 'run' });
      const endpoint = await endpointOf(stage, made.environment);
      await checkConfinement(stage, made);
      await checkBinds(stage, made, endpoint);
      for (const spec of services) {
        const service = await made.service({ ...spec, healthcheck: imageHealthcheck });
        await service.waitReady(stage.context());
        const published = service.ports.map(({ host }) => host);
        expectSame(published, [endpoint.publishedHost], 'where the port of a service is published');
        for (const { host, port } of service.ports) {
          expectSame(await reach(made.machine(), host, port), { said: 'hello' }, `what the service says at ${host}`);
        }
      }
    },
  },
  {
    id: 'C67',
    title: 'an endpoint goes with its environment, and what it takes to reach it is of no use at another one',
    gate: gates.endpoint,
    run: async (stage) => {
      if (!gates.isolation.isClaimed(stage.capabilities)) {
        throw stage.skip('without isolation the endpoint is the one of the machine, which stays');
      }
      const [one, other] = [await stage.createEnvironment(), await stage.createEnvironment()];
      const [mine, theirs] = [await endpointOf(stage, one), await endpointOf(stage, other)];
      expectSame(await ping(mine), 'OK', 'what an endpoint answers to a ping');
      if (mine.tls !== undefined) await checkKeys(mine, theirs);
      await one.remove(stage.context());
      const isGone = (): Promise<boolean> =>
        ping(mine).then(
          () => false,
          () => true,
        );
      const went = await eventually(isGone, { timeoutMs: promptMs, intervalMs: 100 }).catch(() => false);
      expectThat(went, 'expected the endpoint of a removed environment not to answer, found that it does');
      expectSame(await ping(theirs), 'OK', 'what the endpoint of another environment answers after that');
    },
  },
];

async function endpointOf(stage: Stage, environment: ExecutionEnvironment): Promise<DockerEndpointDescriptor> {
  const endpoint = await environment.dockerEndpoint?.(stage.context());
  if (endpoint === undefined) throw new BackendError('internal', 'expected an endpoint, found none');
  return endpoint;
}

/** Runs a container and looks for its process among those of the target: nobody sees processes beside its own confinement. */
async function checkConfinement(stage: Stage, made: JobContainers): Promise<void> {
  const machine = made.machine();
  const mark = freshName();
  await machine.put([{ name: 'mark', content: `${mark}\n` }]);
  const cmd = ['-c', `${endlessScript}; echo ${mark}`];
  const spec = stepSpec(imageOf(stage), {
    entrypoint: ['/bin/sh'],
    cmd,
    workdir: machine.info.paths.workspace,
  });
  const step = await made.step(spec);
  const stop = new AbortController();
  const running = runStep(stage, step, stop.signal);
  running.catch(() => {});
  // The mark stands on no command line of the search itself.
  const search = 'cat /proc/[0-9]*/cmdline 2> /dev/null | tr "\\0" "\\n" | grep -c -F -f mark || true';
  const isSeen = async (): Promise<boolean> => (await machine.ask(search)).trim() !== '0';
  const found = await eventually(isSeen, { timeoutMs: promptMs, intervalMs: 200 }).catch(() => false);
  stop.abort();
  const ended = await within(running, promptMs, 'aborting the container of a step').then(
    ({ result }) => result,
    describeError,
  );
  expectThat(
    found,
    `expected the process of a container among those of the target, found none: it runs outside of it (${show(ended)})`,
  );
}

async function checkBinds(stage: Stage, made: JobContainers, endpoint: DockerEndpointDescriptor): Promise<void> {
  const machine = made.machine();
  await machine.put([{ name: 'bound/file', content: 'of the target' }]);
  const mounts = [{ source: machine.path('bound'), target: '/bound', readOnly: true }];
  const over = { entrypoint: ['/bin/sh'], cmd: ['-c', 'cat /bound/file'], workdir: '/', mounts };
  const start = async (): Promise<string> => {
    const { out, err } = await runStep(stage, await made.step(stepSpec(imageOf(stage), over)));
    return `${out}${err}`;
  };
  if (endpoint.binds === 'target-paths') {
    expectSame(await start(), 'of the target', 'a file of a folder of the target that is mounted into a container');
  } else {
    await expectRejection(start(), ['unsupported', 'plan'], 'a container with a folder of the target, without binds');
  }
}

async function checkKeys(mine: DockerEndpointDescriptor, theirs: DockerEndpointDescriptor): Promise<void> {
  const { tls } = mine;
  if (tls === undefined || theirs.tls === undefined) return;
  expectThat(!Buffer.from(tls.key).equals(theirs.tls.key), 'expected each environment to have a key of its own');
  const { ca, serverName } = theirs.tls;
  const withMyKey = { ...theirs, tls: { ...tls, ca, ...(serverName === undefined ? {} : { serverName }) } };
  const answer = await ping(withMyKey).catch(() => undefined);
  expectThat(
    answer === undefined,
    'expected an endpoint to refuse the key of another environment, found that it answers',
  );
}

/** Asks an engine whether it is there. Rejects where nobody answers. */
async function ping({ address, tls }: DockerEndpointDescriptor): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const [scheme = '', rest = ''] = address.split('://');
  const way: RequestOptions =
    scheme === 'tcp' ? { host: rest.replace(/:\d+$/, ''), port: rest.replace(/^.*:/, '') } : { socketPath: rest };
  const options = { ...way, path: '/_ping', timeout: 5000, agent: false as const };
  const asked =
    tls === undefined
      ? httpRequest(options)
      : httpsRequest({
          ...options,
          ca: Buffer.from(tls.ca),
          cert: Buffer.from(tls.cert),
          key: Buffer.from(tls.key),
          ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
        });
  asked.on('timeout', () => asked.destroy(new Error('no answer')));
  asked.on('error', reject);
  asked.on('response', (response) => {
    let text = '';
    response.on('data', (chunk: Buffer) => void (text += chunk.toString()));
    response.on('end', () => resolve(text));
    response.on('error', reject);
  });
  asked.end();
  return promise;
}
