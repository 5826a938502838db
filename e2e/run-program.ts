export { type Finished, type Running, runProgram, startProgram } from '@forgejo-runner/testkit';
