export { importTimes } from './import-times.mjs';
