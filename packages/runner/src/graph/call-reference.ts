import { type Problem, quoted } from '../user-error.ts';

/** What `uses` of a job names. */
export type CallReference =
  /** A workflow of the repository that the caller lies in; `path` is below its root. */
  | { readonly kind: 'local'; readonly path: string }
  /** A workflow of another repository: `owner/repo/path@ref`, with or without the address of its server. */
  | { readonly kind: 'remote'; readonly uses: string };

const maxLength = 1024;
const workflowFile = /\.ya?ml$/;
const remotePattern = /^(?:https?:\/\/[^/\s]+\/)?[^/@\s]+\/[^/@\s]+\/[^@\s]+\.ya?ml@\S+$/;

/** Reads `uses` of a job. What is wrong comes back as a problem, without credentials. */
export function readCallReference(uses: string): CallReference | Problem {
  if (uses.length > maxLength) return { message: `expected uses of at most ${maxLength} characters, found more` };
  if (/[\p{Cc}\p{Cf}\\]/u.test(uses))
    return wrong(uses, 'the path of a workflow without control characters and backslashes');
  if (uses.startsWith('./')) return readLocal(uses);
  if (remotePattern.test(uses)) return { kind: 'remote', uses };
  return wrong(uses, './path/workflow.yml or [https://host/]owner/repo/path/workflow.yml@ref');
}

function readLocal(uses: string): CallReference | Problem {
  const path = uses.slice(2);
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..'))
    return wrong(uses, 'a path below the root of the repository, without ".."');
  // A local workflow is the one that lies beside the caller, so it takes no `@ref`.
  if (!workflowFile.test(path)) return wrong(uses, 'a file that ends in .yml or .yaml');
  return { kind: 'local', path };
}

function wrong(uses: string, expected: string): Problem {
  const shown = uses.replaceAll(/(:\/\/)[^/\s]+@/g, '$1***@');
  return { message: `expected ${expected} in uses of the job, found ${quoted(shown)}` };
}
