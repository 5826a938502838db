import type { Problem } from '../user-error.ts';
import { type BackendPlanInput, planBackends, validateSection } from './backend-plan.ts';

/**
 * What is wrong with labels and with the sections of backends, as far as that is known without making a backend: to be
 * told together with what else is wrong in a configuration.
 */
export async function backendProblems(input: BackendPlanInput): Promise<readonly Problem[]> {
  const { plans, problems } = planBackends(input);
  // A schema that throws is a defect of the backend, and told when that is made.
  const ofSections = await Promise.all(plans.map((plan) => validateSection(plan).catch(() => ({ problems: [] }))));
  return [...problems, ...ofSections.flatMap((section) => section.problems)];
}
