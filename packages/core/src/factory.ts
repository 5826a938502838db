import type { Backend, BackendId } from './backend.ts';
import type { CallContext, Logger } from './call-context.ts';
import type { Owner } from './ownership.ts';
import type { StandardSchemaV1 } from './standard-schema.ts';

/** What a factory gets to make a backend from. */
export interface FactoryInput {
  /** The section `backend.<id>` of the configuration, as `configSchema` left it. */
  readonly config: unknown;
  readonly owner: Owner;
  /** A folder of the backend's own that survives restarts. Exists, mode 0700. */
  readonly stateDir: string;
  /** Version of the contract that the runner speaks, such as `1.4.2`. */
  readonly apiVersion: string;
  /** Hides a value in every log from now on. */
  readonly addMask: (secret: string) => void;
}

/** How a backend is to be served to runners in other processes and on other machines. */
export interface ServeRequest {
  /** `unix:///path` or `host:port`. */
  readonly address: string;
  /** The section `backend.<id>` as an administrator writes it. */
  readonly config?: unknown;
  /** Files of certificates for `host:port`: those of the server, and whose runners it lets in. */
  readonly tls?: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    /** SHA-256 fingerprints of the only certificates that are accepted. */
    readonly pinned?: readonly string[];
  };
  /** Listens at `host:port` without TLS. */
  readonly insecureTcp?: boolean;
  /** A private folder of the backend that survives restarts. */
  readonly stateDir: string;
  /** Whose the environments are of runners that do not say who they are. */
  readonly owner?: Owner;
  readonly log?: Logger;
  readonly addMask?: (secret: string) => void;
}

/** A backend that is served. Disposing it removes its environments and ends it. */
export interface BackendServer extends AsyncDisposable {
  /** Where it listens, with the port that it got. */
  readonly address: string;
}

/**
 * Makes one kind of backend from its section of the configuration. A backend package exports it as `factory` and
 * registers it when it is imported; {@link defineBackend} does the second.
 */
export interface BackendFactory {
  /** Major version of the contract that the package was written for. */
  readonly api: 1;
  readonly id: BackendId;
  /** One sentence for `list-backends`. */
  readonly description: string;
  /** Validates `backend.<id>` before `create`. Without network. */
  readonly configSchema: StandardSchemaV1;
  /** JSON Schemas for editors and documentation. */
  readonly jsonSchema?: () => { readonly config?: object; readonly label?: object };
  /**
   * Makes the backend. Called once for each id that labels use, and for no other.
   *
   * @throws BackendError `config` when the configuration cannot work, `unavailable` when the platform does not answer.
   */
  readonly create: (input: FactoryInput, ctx: CallContext) => Promise<Backend>;
  /**
   * Serves another backend, for the command `serve-backend`. Only a factory whose protocol has such a side has it.
   *
   * @throws BackendError `config` for what cannot be served like that.
   */
  readonly serve?: (backend: BackendFactory, request: ServeRequest) => Promise<BackendServer>;
}
