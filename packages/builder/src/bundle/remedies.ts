import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { OnLoadResult, Plugin } from 'esbuild';

/** Files read beside a module, for which a cure is known and tested. */
export interface Remedies {
  readonly plugin: Plugin;
  /** Modules that were cured, as `package file`. */
  readonly applied: () => ReadonlySet<string>;
}

const place = String.raw`path\.resolve\(__dirname,\s*"proto",\s*"([a-z_]+\.proto)"\)`;

/** A call that reads a description beside the module, and the one that parses the same text from memory. */
const calls: readonly { readonly pattern: RegExp; readonly instead: (text: string) => string }[] = [
  {
    pattern: new RegExp(String.raw`protoLoader\.loadSync\(\s*${place}\s*\)`, 'g'),
    instead: (text) => `protoLoader.fromJSON(require("protobufjs").parse(${text}).root.toJSON())`,
  },
  {
    pattern: new RegExp(String.raw`protobuf\.loadSync\(\s*${place}\s*\)`, 'g'),
    instead: (text) => `protobuf.parse(${text}).root`,
  },
];

/**
 * dockerode reads the descriptions of two gRPC services from files beside its own: `lib/session.js` and
 * `lib/buildkit.js`. They are put into the bundle as text and parsed by the protobufjs that dockerode depends on.
 */
export function remedies(): Remedies {
  const applied = new Set<string>();
  const plugin: Plugin = {
    name: 'remedies',
    setup: (build) => {
      build.onLoad({ filter: /[/\\]dockerode[/\\]lib[/\\](?:session|buildkit)\.js$/ }, async (args) => {
        const cured = await embedProtos(args.path);
        if (cured !== undefined) applied.add(args.path);
        return cured;
      });
    },
  };
  return { plugin, applied: () => applied };
}

async function embedProtos(file: string): Promise<OnLoadResult | undefined> {
  const source = await readFile(file, 'utf8');
  let contents = source;
  for (const { pattern, instead } of calls) {
    for (const [call, name = ''] of source.matchAll(pattern)) {
      const text = await readFile(path.join(path.dirname(file), 'proto', name), 'utf8');
      contents = contents.replace(call, () => instead(JSON.stringify(text)));
    }
  }
  return contents === source ? undefined : { contents, loader: 'js' };
}
