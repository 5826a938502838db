import { parentPort, workerData } from 'node:worker_threads';
import type { CheckRequest } from './check-source.ts';
import { checkWithTsMorph } from './engine-ts-morph.ts';

// `check-types` starts this file with a CheckRequest and waits for one message.
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
parentPort?.postMessage(checkWithTsMorph(workerData as CheckRequest));
