/** Where a Docker-compatible engine answers, for the runner's Docker driver to dial. */
export interface DockerEndpointDescriptor {
  /** The runner dials it as it is; what is reached by SSH must be forwarded to one of these first. */
  readonly address: `unix://${string}` | `tcp://${string}` | `npipe://${string}`;
  readonly tls?: {
    readonly ca: Uint8Array;
    readonly cert: Uint8Array;
    readonly key: Uint8Array;
    readonly serverName?: string;
  };
  /** May the source of a bind mount name a path of the target? */
  readonly binds: 'target-paths' | 'none';
  /** Host under which published ports appear, seen from the target. */
  readonly publishedHost: string;
  /** For jobs that get the socket mounted, where the administrator allows it. */
  readonly socketInTarget?: string;
}
