/** One backend as the checker sees it. */
export interface CheckSubject {
  readonly name: string;
  readonly version: string;
  /** What the entry imports. */
  readonly specifier: string;
  /** Real folder of the package. */
  readonly dir: string;
  /** What its imports of the API stand for: the API itself, or what core has of an older major. */
  readonly api: { readonly specifier: string; readonly version: string };
}

/** What a worker is asked to check. */
export interface CheckRequest {
  /** Folder with a `node_modules` from which the packages resolve. */
  readonly workDir: string;
  /** Real folder of the API. */
  readonly coreDir: string;
  readonly subjects: readonly CheckSubject[];
  /** Packages that are found from `workDir` where a package does not have them installed. */
  readonly shared: readonly string[];
}

/** What a check came to. */
export type Verdict =
  | {
      readonly kind: 'fits';
      /** Files that the verdict rests on, with the checksum of each. */
      readonly files: readonly (readonly [file: string, hash: string])[];
    }
  | {
      readonly kind: 'fails';
      readonly code: 'FRB402' | 'FRB403' | 'FRB404' | 'FRB405' | 'FRB406';
      readonly message: string;
      readonly where?: string;
      readonly next?: string;
      /** The compiler's own words. */
      readonly details?: string;
    };

/** The file that is checked for a backend: what it offers beside what the API asks for, and the one assigned to the other. */
export function checkSource(subject: CheckSubject): string {
  return [
    `import type { BackendFactory } from '${subject.api.specifier}';`,
    `import type * as backend from '${subject.specifier}';`,
    'export declare const offered: typeof backend.factory;',
    'export declare const asked: BackendFactory;',
    'export const assigned: BackendFactory = offered;',
    '',
  ].join('\n');
}
