// A server in a process of its own: `serve-process OPTIONS`, as JSON. Prints where it listens; ends with its input.
import { factory } from '@forgejo-runner/backend-host';
import { serveBackend, type ServeOptions } from '../src/index.ts';

// Whoever starts this module wrote the options.
const options = JSON.parse(process.argv[2] ?? '') as ServeOptions;
const server = await serveBackend(factory, options);
process.stdout.write(`${server.address}\n`);
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void end());
process.stdin.resume();
process.stdin.once('end', () => void end());

async function end(): Promise<void> {
  await server[Symbol.asyncDispose]();
  process.exit(0);
}
