import type { JsonPath } from './json-file.ts';

/** How much a finding weighs: with an error the package cannot be used, or harms those who use it. */
export type Severity = 'error' | 'warning';

/** A package.json while it is being mended. */
export type EditedPackage = Record<string, unknown>;

/** What a rule has against a package, before it is known where that stands. */
export interface Remark {
  readonly rule: RuleId;
  readonly severity: Severity;
  /** What was expected and what was found. */
  readonly message: string;
  /** One next step. */
  readonly next: string;
  /** Where in package.json; the nearest place there that exists is named. */
  readonly at?: JsonPath;
  /** Another place than package.json. */
  readonly where?: string;
  /** Mends it in place. */
  readonly fix?: (json: EditedPackage) => void;
}

/** Something that an author should mend. */
export interface Finding {
  readonly rule: RuleId;
  readonly severity: Severity;
  readonly message: string;
  /** File, with line and column where known. */
  readonly where: string;
  readonly next: string;
  /** `check --fix` mends it. */
  readonly isFixable: boolean;
}

/** The rules and what each asks of a package. Also in docs/backends/package-checks.md. */
export const rules = {
  field: 'the forgejoRunner field names the API major, the backend ids and the export',
  peer: '@forgejo-runner/core is a peer dependency, so that a runner has one copy of the API',
  'peer-range': 'the peer range takes every version of one API major from the one that the package needs',
  'own-versions': 'the packages of this project are wanted in versions that this builder has',
  'install-scripts': 'nothing has to run at installation: builders run no install scripts',
  'side-effects': 'sideEffects does not allow a bundler to drop the registration',
  exports: 'what package.json names exists, is published, and is what it says (publint)',
  secrets: 'no file that looks like a secret is published',
  license: 'license is an SPDX expression, and its text is in the package',
  readme: 'the README tells what the backends are and how to build them in',
  keyword: 'the keyword forgejo-runner-backend is there: search finds packages by it',
  description: 'description says in a line what the backend is: search and info show it',
  engines: 'engines.node takes the Node that runners are built with',
  private: 'the package may be published',
  types: 'the exported factory fits the API, and its types prove it',
  build: 'a runner can be built with it, and then lists its backends',
  hazards: 'nothing in it breaks inside of one file',
  'two-copies': 'what the runner has too is not in the bundle twice',
  size: 'it does not weigh more than it should',
  'import-time': 'importing it does not take longer than it should',
} as const;

/** The name of a rule. */
export type RuleId = keyof typeof rules;
