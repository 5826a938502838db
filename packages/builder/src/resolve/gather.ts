import { throwAll, UserError, UserErrors } from '../user-error.ts';

/** Does all at once and reports all that went wrong, not only the first. */
export async function gather<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const settled = await Promise.allSettled(items.map(work));
  const failed = settled.filter((one) => one.status === 'rejected').map((one) => one.reason as unknown);
  const ours = failed.flatMap((error) =>
    error instanceof UserErrors ? error.errors : error instanceof UserError ? [error] : [],
  );
  const other = failed.find((error) => !(error instanceof UserError || error instanceof UserErrors));
  if (other !== undefined) throw other;
  throwAll(ours);
  return settled.map((one) => (one as PromiseFulfilledResult<R>).value);
}
