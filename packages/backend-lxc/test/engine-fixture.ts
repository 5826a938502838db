import { homedir } from 'node:os';
import { join } from 'node:path';
import { debianMirror } from '../../../e2e/images/layers.ts';

interface EngineConfig {
  readonly storage: string;
  readonly mirror: string;
  readonly packages: readonly string[];
}

const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');

/** Configuration for labels with an engine inside. The template takes a minute, so all tests share it, also of later runs. */
export const engineConfig: EngineConfig = {
  mirror: await debianMirror(),
  storage: join(cache, 'forgejo-runner-toolkit', 'lxc'),
  // An init, and what the suite looks for.
  packages: ['ca-certificates', 'curl', 'procps', 'systemd-sysv'],
};

/** A label with an engine inside, on a template that debootstrap makes. */
export const engineLabel: string = 'lxc://debian:bookworm:docker?docker=true';
