import type {
  BackendErrorCode,
  BackendFactory,
  DockerEndpointDescriptor,
  LabelConfiguration,
  RegistryCredentials,
} from '@forgejo-runner/core';

/** How much is checked: `quick` on every change, `full` before a release, `nightly` also what takes minutes. */
export type Lane = 'quick' | 'full' | 'nightly';

/** Number of a check, such as `C31`. Numbers keep their meaning for ever. */
export type CheckId = `C${number}`;

/** Images for the checks of containers. A check that lacks its image is skipped and says so. */
export interface ConformanceImages {
  /** With `/bin/sh` and the usual small tools, glibc's or busybox's. */
  readonly shell?: string;
  /** The same on musl. */
  readonly musl?: string;
  /** Nothing but one static program, and the command line that makes it print a line with `ran` in it. */
  readonly scratch?: { readonly image: string; readonly argv: readonly [string, ...string[]] };
  /** Serves HTTP at a port and has a health check of its own that is bad for a while and then good. */
  readonly late?: { readonly image: string; readonly port: number };
  /** Runs, with a health check that never gets good and prints `says`. */
  readonly unhealthy?: { readonly image: string; readonly says: string };
  /** Prints `says` and ends by itself, with a failure. */
  readonly quits?: { readonly image: string; readonly says: string };
  /** In a registry that hands it out for these credentials only. No engine may have it already. */
  readonly private?: { readonly image: string; readonly credentials: RegistryCredentials };
  /** Puts the images where the engine of an environment finds them, for engines that begin with none. */
  readonly loadInto?: (endpoint: DockerEndpointDescriptor) => Promise<void>;
}

/** A platform that is reached at an address, so that the suite can stand in between and pull the plug. */
export interface ConformanceEndpoint {
  /** Path of the socket of the platform. */
  readonly socket: string;
  /** The configuration with another socket in its place. */
  readonly configFor: (socket: string) => unknown;
}

/** A part of the backend that runs in a process of its own, such as a plugin behind gRPC. */
export interface ConformancePlugin {
  /** Ends it at once, as SIGKILL does, with all that it remembers. */
  readonly kill: () => Promise<void>;
  /** Starts it again, at the same address. Where the backend does that by itself: waits for it. */
  readonly restart: () => Promise<void>;
}

/** Another end of the protocol that the backend speaks, and what is documented to come of it. */
export interface ConformancePeer {
  /** What it is, such as `a plugin of protocol 0`. */
  readonly name: string;
  /** The configuration that leads to it. */
  readonly config: unknown;
  /** `works`: jobs run there. Otherwise the code of the error, at the latest when an environment is made. */
  readonly outcome: 'works' | BackendErrorCode;
}

/** A runner with the backend built in, for the workflows of the testkit. */
export interface ConformanceRunner {
  /** Command line that starts it. */
  readonly command: readonly [string, ...string[]];
  /** Variables of its environment beside the usual, such as DOCKER_HOST. */
  readonly env?: Readonly<Record<string, string>>;
  /** Only workflows of these topics, such as `env/`. Default: all. */
  readonly topics?: readonly string[];
  /** The engine has the images that the cases of containers name. Default: no. */
  readonly hasTestImages?: boolean;
}

/**
 * What is to be checked, and what the checks may use. Only the first two fields are always needed; the others open
 * more checks.
 */
export interface ConformanceOptions {
  readonly factory: BackendFactory;
  /** A label of the backend, in the string form or as the mapping form leaves it. */
  readonly label: string | LabelConfiguration;
  /** The section `backend.<id>` as an administrator writes it. Default: none. */
  readonly config?: unknown;
  /** More labels that are valid, for the checks of labels. */
  readonly labels?: readonly (string | LabelConfiguration)[];
  /** Does importing the package register the factory? Default: yes, as the contract asks. */
  readonly isRegistered?: boolean;
  /**
   * Lists what of the backend is on its platform now: containers, folders, machines. The suite compares lists from
   * before and after. It must leave out what is meant to stay, such as caches.
   */
  readonly inventory?: () => Promise<readonly string[]>;
  /** Ends an environment behind the backend's back, as a crash of the platform would. */
  readonly kill?: (environment: { readonly name: string; readonly id: string }) => Promise<void>;
  /** Makes the platform refuse to delete an environment, until disposed. */
  readonly blockRemoval?: (environment: { readonly name: string; readonly id: string }) => Promise<AsyncDisposable>;
  /** Configuration of a platform that does not answer, where it is reached by other means than a socket. */
  readonly unreachable?: { readonly config: unknown };
  readonly endpoint?: ConformanceEndpoint;
  readonly plugin?: ConformancePlugin;
  readonly peers?: readonly ConformancePeer[];
  /**
   * The configuration with its state below a folder: once one whose name has spaces and letters beyond ASCII, once one on
   * a small disk that gets full.
   */
  readonly configBelow?: (folder: string) => unknown;
  readonly images?: ConformanceImages;
  readonly runner?: ConformanceRunner;
  /** A user of the target beside root, for `exec.user`. */
  readonly user?: { readonly name: string; readonly uid: number };
  /** Where the shell of the target lies. Default: `/bin/sh`. */
  readonly shell?: string;
  /** Names of variables beginning with these may stand in every process beside the asked ones. `FJR_` always may. */
  readonly extraVariables?: readonly string[];
  /** Checks that this backend is known not to pass, and why. They are skipped, and the verdict names the reason. */
  readonly exceptions?: Readonly<Partial<Record<CheckId, string>>>;
  /** Path of the module that exports these options as `conformance`: child processes that are killed load it. */
  readonly subject?: string;
}

/** Keeps the type of options in a module of their own, for `subject` and for `forgejo-runner-build test`. */
export function defineConformance(options: ConformanceOptions): ConformanceOptions {
  return options;
}
