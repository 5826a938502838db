import { chosenCases, testOnEngine } from './container-workflows.ts';
import { findEngine } from './engines.ts';

testOnEngine('docker', await findEngine('docker'), chosenCases());
