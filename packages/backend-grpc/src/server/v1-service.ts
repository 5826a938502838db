import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { durationMs, timestampFromMs } from '@bufbuild/protobuf/wkt';
import { BackendError, type Owner } from '@forgejo-runner/core';
import type { BackendService, Owner as WireOwner } from '../gen/forgejo/runner/backend/v1/backend_pb.ts';
import { defaultChunkBytes } from '../limits.ts';
import { reportToWire } from '../environment-messages.ts';
import { capabilitiesToWire } from '../label-messages.ts';
import { statusOfError } from '../platform-errors.ts';
import { callOf } from './call-contexts.ts';
import type { ServedEnvironments } from './served-environments.ts';
import { ownerOf, type Served } from './served.ts';
import { buildImage, createContainer, readLogs, watchService } from './serve-containers.ts';
import { copyIn, copyOut } from './serve-copy.ts';
import { createEnvironment, readyOf } from './serve-environment.ts';
import { serveExec } from './serve-exec.ts';

/** Minor versions of the protocol that this server speaks. */
const minors: readonly number[] = [0];

/** Our own protocol, over a backend. */
export function v1Service(served: Served): ServiceImpl<typeof BackendService> {
  const { backend, environments, labels, log } = served;
  const call = (context: HandlerContext): ReturnType<typeof callOf> => callOf(context, log);
  return {
    describe: (request) =>
      answered(async () => {
        const protocolMinor = request.protocolMinors
          .filter((one) => minors.includes(one))
          .toSorted((a, b) => a - b)
          .at(-1);
        if (protocolMinor === undefined) {
          throw new BackendError(
            'unsupported',
            `expected a runner that speaks minor version 0, found one that speaks ${request.protocolMinors.join(', ') || 'none'}`,
          );
        }
        if (Object.keys(request.config ?? {}).length > 0) {
          throw new BackendError(
            'config',
            'this server has a configuration of its own and takes none of a runner; leave "options" out',
          );
        }
        const features = ['recover', 'list-owned', 'keepalive-30s', ...(backend.prune === undefined ? [] : ['prune'])];
        return {
          name: served.name,
          version: served.version,
          protocolMinor,
          maxChunkBytes: defaultChunkBytes,
          features,
        };
      }),
    getHealth: (_, context) =>
      answered(async () => {
        const { status, detail = '', freeSlots } = await backend.health(call(context));
        return { status, detail, ...(freeSlots === undefined ? {} : { freeSlots }) };
      }),
    resolveLabel: ({ name, options = {}, form, connection }, context) =>
      answered(async () => {
        const label = {
          name,
          options,
          form: form === 'string' ? ('string' as const) : ('mapping' as const),
          ...(connection === '' ? {} : { connection }),
        };
        const { capabilities, canonical } = await labels.resolve(label, call(context));
        return { capabilities: capabilitiesToWire(capabilities), canonical, data: Buffer.from(canonical) };
      }),
    createEnvironment: (request, context) => streamed(createEnvironment(served, request, context)),
    getState: ({ target }, context) =>
      answered(async () => {
        const { environment, containers } = environments.get(target?.environment ?? '');
        const container = containers.get(target?.container ?? '');
        const place = container?.kind === 'job' ? container.container : environment;
        const { alive, reason = '', detail = '' } = await place.state(call(context));
        return { alive, reason, detail };
      }),
    createContainer: (request, context) => streamed(createContainer(served, request, context)),
    watchService: (request, context) => streamed(watchService(served, request, context)),
    readLogs: (request, context) => streamed(readLogs(served, request, context)),
    buildImage: (requests, context) => streamed(buildImage(served, requests, context)),
    exec: (requests, context) => streamed(serveExec(served, requests, context)),
    copyIn: (requests, context) => answered(() => copyIn(served, requests, context)),
    copyOut: (request, context) => streamed(copyOut(served, request, context)),
    remove: ({ target, owner }) =>
      answered(() => remove(served, { name: target?.environment ?? '', container: target?.container ?? '', owner })),
    listOwned: ({ owner }) => streamed(listOwned(environments, ownerOf(owner))),
    recover: ({ owner, names }, context) => streamed(recover(served, { owner: ownerOf(owner), names }, context)),
    sweep: ({ owner: wire, keep, otherBootsOnlyExpired, dryRun }, context) =>
      answered(async () => {
        const owner = ownerOf(wire);
        const otherBoots = otherBootsOnlyExpired ? ('only-expired' as const) : ('remove' as const);
        const request = { owner, keep, otherBoots, dryRun };
        const own = await environments.sweep(request, call(context));
        // Those of this process are dealt with; what is left belongs to processes that are no more.
        const rest = await backend.sweep({ ...request, keep: [...keep, ...environments.names()] }, call(context));
        const kept = [...new Set([...own.kept, ...rest.kept])];
        const removed = [...own.removed, ...rest.removed];
        return { ...reportToWire({ removed, leaked: [...own.leaked, ...rest.leaked] }), kept };
      }),
    prune: ({ owner, unused, maxBytes, dryRun }, context) =>
      answered(async () => {
        if (backend.prune === undefined)
          throw new BackendError('unsupported', 'this backend keeps nothing between jobs');
        const report = await backend.prune(
          {
            owner: ownerOf(owner),
            dryRun,
            ...(unused === undefined ? {} : { unusedMs: durationMs(unused) }),
            ...(maxBytes === undefined ? {} : { maxBytes: Number(maxBytes) }),
          },
          call(context),
        );
        return { ...reportToWire(report), freedBytes: BigInt(report.freedBytes), keptBytes: BigInt(report.keptBytes) };
      }),
  };
}

async function remove(
  { backend, environments }: Served,
  {
    name,
    container,
    owner,
  }: { readonly name: string; readonly container: string; readonly owner: WireOwner | undefined },
): Promise<ReturnType<typeof reportToWire>> {
  const found = environments.find(name);
  // The runner may be gone before it is done.
  const ctx = environments.ownCall();
  if (container !== '') {
    const one = found?.containers.get(container);
    if (one === undefined) return { removed: [], leaked: [] };
    const report = await one.container.remove(ctx);
    if (report.leaked.length === 0) found?.containers.delete(container);
    return reportToWire(report);
  }
  if (found !== undefined) return reportToWire(await environments.remove(found, ctx));
  if (owner === undefined) return { removed: [], leaked: [] };
  // Perhaps of an earlier process of this server: with everything kept that lives here, only such are swept.
  const request = {
    owner: ownerOf(owner),
    keep: environments.names(),
    otherBoots: 'only-expired',
    dryRun: false,
  } as const;
  return reportToWire(await backend.sweep(request, ctx));
}

async function* listOwned(environments: ServedEnvironments, { runner }: Owner) {
  for (const { name, owner, expiresAt, environment } of environments.ofRunner(runner)) {
    const recoverable = environment !== undefined;
    yield { name, environment: name, boot: owner.boot, expiresAt: timestampFromMs(expiresAt), recoverable };
  }
}

async function* recover(
  { environments, log }: Served,
  request: { readonly owner: Owner; readonly names: readonly string[] },
  context: HandlerContext,
) {
  for (const served of environments.ofRunner(request.owner.runner)) {
    if (!request.names.includes(served.name) || served.environment === undefined) continue;
    const { alive } = await served.environment.state(callOf(context, log));
    if (!alive) continue;
    // What its dead runner had running is nobody's.
    for (const exec of served.execs.values()) exec.stop();
    await Promise.all([...served.execs.values()].map((exec) => exec.ended()));
    served.owner = request.owner;
    const ready = await readyOf(served.environment, callOf(context, log));
    const capabilities = capabilitiesToWire(served.capabilities);
    yield { name: served.name, environment: served.name, ready, capabilities };
  }
}

async function answered<T>(answer: () => Promise<T>): Promise<T> {
  try {
    return await answer();
  } catch (error) {
    throw statusOfError(error);
  }
}

async function* streamed<T>(answer: AsyncGenerator<T, void, undefined>): AsyncGenerator<T, void, undefined> {
  try {
    yield* answer;
  } catch (error) {
    throw statusOfError(error);
  }
}
