/** What stands in a bundle until its evidence is known. */
export const evidencePlaceholder = 'forgejo-runner-evidence-0';
