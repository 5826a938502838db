/** Condition of `exports` that names the TypeScript sources of a package. */
export const sourceCondition = '@forgejo-runner/source';
