import type { Place, YamlMapping, YamlNode, YamlScalar } from './yaml-node.ts';

/**
 * A workflow as its author wrote it: the shape is checked, nothing is evaluated. What may hold an expression is kept
 * as a {@link YamlNode}, so that an error can say where it stands.
 *
 * Source: GitHub's and Forgejo's workflow syntax.
 */
export interface Workflow {
  readonly file: string;
  readonly name?: string;
  readonly runName?: YamlScalar;
  readonly on: readonly Trigger[];
  /** Declared inputs of `workflow_dispatch` and `workflow_call`, by name. */
  readonly inputs: ReadonlyMap<string, InputDeclaration>;
  /** Absent where `on` has no `workflow_call`: other workflows may not call this one. */
  readonly callable?: CallDeclaration;
  readonly env?: YamlNode;
  readonly defaults: RunDefaults;
  readonly jobs: ReadonlyMap<string, Job>;
  readonly notices: readonly Notice[];
}

/** One event that starts a workflow, and its filters. */
export interface Trigger {
  readonly event: string;
  readonly filters?: YamlNode;
  readonly at: Place;
}

/** An input that a workflow declares for `workflow_dispatch` or `workflow_call`. */
export interface InputDeclaration {
  readonly type: 'string' | 'boolean' | 'number' | 'choice' | 'environment';
  readonly required: boolean;
  readonly default?: YamlScalar;
  readonly options: readonly string[];
  readonly at: Place;
}

/** What `on.workflow_call` declares: what a caller gives, and gets. */
export interface CallDeclaration {
  readonly at: Place;
  /** Their types are `string`, `boolean` and `number` only. */
  readonly inputs: ReadonlyMap<string, InputDeclaration>;
  readonly secrets: ReadonlyMap<string, SecretDeclaration>;
  readonly outputs: ReadonlyMap<string, OutputDeclaration>;
}

/** A secret that a called workflow declares. */
export interface SecretDeclaration {
  readonly required: boolean;
  readonly at: Place;
}

/** An output of a called workflow. */
export interface OutputDeclaration {
  readonly value: YamlScalar;
  readonly at: Place;
}

/** `defaults.run` of a workflow or a job. */
export interface RunDefaults {
  readonly shell?: YamlScalar;
  readonly workingDirectory?: YamlScalar;
}

/** Something that the author should know although the workflow runs: a key that is accepted and changes nothing. */
export interface Notice {
  readonly message: string;
  readonly at: Place;
}

/** An entry of `jobs`. */
export interface Job {
  readonly id: string;
  readonly at: Place;
  readonly name?: YamlScalar;
  readonly needs: readonly { readonly id: string; readonly at: Place }[];
  readonly if?: YamlScalar;
  /** Absent only where `uses` calls a reusable workflow. */
  readonly runsOn?: YamlNode;
  readonly env?: YamlNode;
  readonly defaults: RunDefaults;
  readonly outputs: ReadonlyMap<string, YamlScalar>;
  readonly strategy?: Strategy;
  readonly timeoutMinutes?: YamlScalar;
  readonly continueOnError?: YamlScalar;
  readonly container?: YamlNode;
  readonly services?: YamlNode;
  readonly steps: readonly Step[];
  readonly call?: WorkflowCall;
  readonly notices: readonly Notice[];
}

/** `strategy` of a job. `matrix` may be an expression as a whole. */
export interface Strategy {
  readonly matrix?: YamlNode;
  readonly failFast?: YamlScalar;
  readonly maxParallel?: YamlScalar;
  readonly at: Place;
}

/** `uses`, `with` and `secrets` of a job that calls a reusable workflow. */
export interface WorkflowCall {
  readonly uses: YamlScalar;
  readonly with?: YamlMapping;
  readonly secrets: 'inherit' | YamlMapping | undefined;
}

/** An entry of `steps`, of a job or of a composite action. */
export interface Step {
  /** Place in its list, from 0. */
  readonly index: number;
  readonly at: Place;
  readonly id?: string;
  readonly name?: YamlScalar;
  readonly if?: YamlScalar;
  readonly env?: YamlNode;
  readonly continueOnError?: YamlScalar;
  readonly timeoutMinutes?: YamlScalar;
  readonly does: RunScript | UseAction | Provided;
}

/** A step whose work was done already, such as the checkout of a folder that a local run works in. No parser makes it. */
export interface Provided {
  readonly kind: 'provided';
  readonly name: string;
  /** What the reader of the log is told instead. */
  readonly because: string;
}

/** `run:` with what belongs to it. */
export interface RunScript {
  readonly kind: 'run';
  readonly script: YamlScalar;
  readonly shell?: YamlScalar;
  readonly workingDirectory?: YamlScalar;
}

/** `uses:` with what belongs to it. */
export interface UseAction {
  readonly kind: 'uses';
  readonly uses: YamlScalar;
  readonly with?: YamlNode;
}

/** An `action.yml`. */
export interface Action {
  readonly file: string;
  readonly name?: string;
  readonly description?: string;
  readonly inputs: ReadonlyMap<string, ActionInput>;
  readonly outputs: ReadonlyMap<string, ActionOutput>;
  readonly runs: ActionRuns;
  readonly notices: readonly Notice[];
}

/** An input of an action, by its name as written. */
export interface ActionInput {
  readonly required: boolean;
  readonly default?: YamlScalar;
  readonly deprecationMessage?: string;
  readonly at: Place;
}

/** An output of an action. Only composite actions give a value here. */
export interface ActionOutput {
  readonly value?: YamlScalar;
  readonly at: Place;
}

/** How an action runs. `using` of a node action is the word as written, such as `node20`. */
export type ActionRuns =
  | { readonly kind: 'composite'; readonly steps: readonly Step[]; readonly at: Place }
  | {
      readonly kind: 'node';
      readonly using: string;
      readonly main: string;
      readonly pre?: string;
      readonly preIf?: YamlScalar;
      readonly post?: string;
      readonly postIf?: YamlScalar;
      readonly at: Place;
    }
  | {
      readonly kind: 'docker';
      readonly image: string;
      readonly entrypoint?: YamlScalar;
      readonly preEntrypoint?: YamlScalar;
      readonly preIf?: YamlScalar;
      readonly postEntrypoint?: YamlScalar;
      readonly postIf?: YamlScalar;
      readonly args: readonly YamlScalar[];
      readonly env?: YamlNode;
      readonly at: Place;
    }
  /** Forgejo's own kinds: `sh` runs `main` as a command, `go` builds it in the folder of the action and runs that. */
  | { readonly kind: 'script'; readonly using: 'sh' | 'go'; readonly main: string; readonly at: Place }
  /** A `using` that this runner does not know. Known only when the action runs, so that others in the job still do. */
  | { readonly kind: 'unknown'; readonly using: string; readonly at: Place };
