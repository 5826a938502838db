import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { OnLoadResult, Plugin } from 'esbuild';
import { packageAround } from './one-core.ts';

/** Modules of foreign packages for which a cure is known and tested. */
export interface Remedies {
  readonly plugin: Plugin;
  /** Modules that were cured. */
  readonly applied: () => ReadonlySet<string>;
  /** Packages other than ours that use dockerode although parts of it were left out. */
  readonly wantWhole: () => ReadonlySet<string>;
}

/**
 * What our Docker backend uses nothing of: BuildKit's sessions and progress, and ssh, for which it runs the system's own.
 * With them come gRPC, protobufjs and ssh2, most of what dockerode weighs: 777 of 924 KiB, and half of its start.
 */
const unused: Readonly<Record<string, string>> = {
  'dockerode/lib/session.js': 'BuildKit sessions',
  'dockerode/lib/buildkit.js': 'progress of BuildKit',
  'docker-modem/lib/ssh.js': 'ssh endpoints',
};
const user = '@forgejo-runner/backend-docker';

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
 * Where only our Docker backend uses it, these and ssh are left out instead, unless `isWhole`.
 */
export function remedies(isWhole = false): Remedies {
  const applied = new Set<string>();
  const wantWhole = new Set<string>();
  const plugin: Plugin = {
    name: 'remedies',
    setup: (build) => {
      build.onResolve({ filter: /^(?:dockerode|docker-modem)(?:\/|$)/ }, async ({ importer }) => {
        const name = (await packageAround(importer))?.name ?? importer;
        if (![user, 'dockerode', 'docker-modem'].includes(name)) wantWhole.add(name);
        return undefined;
      });
      const filter = /[/\\](?:dockerode[/\\]lib[/\\](?:session|buildkit)|docker-modem[/\\]lib[/\\]ssh)\.js$/;
      build.onLoad({ filter }, async (args) => {
        const cured = isWhole ? await embedProtos(args.path) : leaveOut(args.path);
        if (cured !== undefined) applied.add(args.path);
        return cured;
      });
    },
  };
  return { plugin, applied: () => applied, wantWhole: () => wantWhole };
}

function leaveOut(file: string): OnLoadResult {
  const name = file.split(path.sep).slice(-3).join('/');
  const message = `${name}: this runner was built without ${unused[name]}, which ${user} does not need`;
  const throwing = `() => { throw new Error(${JSON.stringify(message)}); }`;
  return { contents: `module.exports = Object.assign(${throwing}, { followProgress: ${throwing} });`, loader: 'js' };
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
