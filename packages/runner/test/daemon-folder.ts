import type { FactoryRegistry } from '@forgejo-runner/core';
import {
  type FakeForgejo,
  type FakeForgejoOptions,
  openTempFolder,
  type ReferenceBackend,
  referenceBackend,
  startFakeForgejo,
  type TempFolder,
} from '@forgejo-runner/testkit';
import { main } from '../src/main.ts';
import { type FakeIo, fakeIo } from './fake-io.ts';

/** A command of a runner that goes on. */
export interface StartedRunner extends FakeIo {
  readonly code: Promise<number>;
  /** Sends the first signal, and waits for the end. */
  readonly stop: () => Promise<number>;
}

/** An instance, and a folder for a runner that is registered there. */
export interface DaemonFolder extends AsyncDisposable {
  readonly forgejo: FakeForgejo;
  readonly folder: TempFolder;
  readonly backend: ReferenceBackend;
  readonly runner: { readonly uuid: string; readonly token: string };
  /** Writes `config.yml` with one connection and label, with more sections, and with keys of `runner`. */
  readonly configure: (more?: string, runnerKeys?: string, label?: string) => Promise<void>;
  readonly start: (...args: readonly string[]) => StartedRunner;
  readonly run: (
    ...args: readonly string[]
  ) => Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
}

/** Starts an instance, with a runner that serves the label `here` on a reference backend. */
export async function openDaemonFolder(options: FakeForgejoOptions = {}): Promise<DaemonFolder> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await openTempFolder());
  const forgejo = stack.use(await startFakeForgejo(options));
  const runner = forgejo.addRunner({ labels: ['here'] });
  const backend = referenceBackend();
  const factories: FactoryRegistry = {
    register: () => {},
    get: (id) => (id === backend.factory.id ? { factory: backend.factory } : undefined),
    list: () => [{ factory: backend.factory }],
  };
  const env = { HOME: folder.path, XDG_STATE_HOME: folder.join('state'), NO_COLOR: '1' };
  const start = (...args: readonly string[]): StartedRunner => {
    const fake = fakeIo({ cwd: folder.path, env });
    const code = main(args, fake.io, { factories });
    return {
      ...fake,
      code,
      stop: () => {
        fake.interrupt.abort(new Error('stop'));
        return code;
      },
    };
  };
  const closing = stack.move();
  return {
    forgejo,
    folder,
    backend,
    runner,
    configure: (more = '', runnerKeys = '  capacity: 2', label = 'here') =>
      folder.write({
        'config.yml': `
runner:
${runnerKeys}
  fetch_interval: 20ms
  report_interval: 20ms
  labels: ["${label}:reference"]
server:
  connections:
    main: { url: "${forgejo.url}", uuid: ${runner.uuid}, token: ${runner.token} }
${more}`,
      }),
    start,
    run: async (...args) => {
      const started = start(...args);
      return { code: await started.code, stdout: started.stdout(), stderr: started.stderr() };
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** A workflow of one job on the label `here`. */
export function jobHere(...scripts: readonly string[]): string {
  return `runs-on: here\nsteps:\n${scripts.map((script) => `  - run: ${JSON.stringify(script)}\n`).join('')}`;
}
