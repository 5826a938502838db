import { UserError, UserErrors } from '../user-error.ts';
import type { RunOptions } from './run-options.ts';

/** Says what is wrong, each for itself. What is a defect of ours goes on. */
export function reportFindings(error: unknown, options: Pick<RunOptions, 'onFinding' | 'signal'>): void {
  if (error instanceof UserErrors) error.errors.forEach(options.onFinding);
  else if (error instanceof UserError) options.onFinding(error);
  else if (!options.signal.aborted) throw error;
}
