import { takeEarlySignals } from './early-signals.mjs';

await import('./program.mjs').then(({ start }) => start(takeEarlySignals));
