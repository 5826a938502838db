import type { CallContext } from '@forgejo-runner/core';
import { pack } from 'tar-stream';
import { askEngine } from './ask-engine.ts';
import type { ContainerUser } from './container-user.ts';
import type { DockerEndpoint } from './endpoint.ts';

/** Makes folders in a container that need not run, or hands over those that are there: they belong to the user then. */
export async function giveFolders(
  { client }: DockerEndpoint,
  {
    container,
    folders,
    user,
    mode,
  }: {
    readonly container: string;
    readonly folders: readonly string[];
    readonly user: ContainerUser;
    readonly mode: number;
  },
  ctx: CallContext,
): Promise<void> {
  if (folders.length === 0) return;
  const tar = pack();
  const { uid, gid } = user;
  const mtime = new Date();
  for (const folder of folders) {
    // Parents that are missing are made by the engine, and belong to root.
    tar.entry({ name: `${folder.replace(/^\/+/, '')}/`, type: 'directory', mode, uid, gid, mtime });
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar as AsyncIterable<Buffer>) chunks.push(chunk);
  await askEngine({ doing: 'make the folders of the job', resource: container }, ctx, () =>
    client.getContainer(container).putArchive(Buffer.concat(chunks), { path: '/' }),
  );
}
