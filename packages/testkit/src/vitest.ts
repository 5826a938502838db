export { backendConformance } from './conformance/backend-conformance.ts';
