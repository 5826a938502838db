// A runner that prints how many rows of its job were taken, until somebody kills it. Its server is away.
import { systemClock } from '../src/report/report-clock.ts';
import { openReporter } from '../src/report/reporter.ts';

const [folder = ''] = process.argv.slice(2);
const away = async (): Promise<never> => {
  throw new Error('away');
};
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const { report } = await openReporter({
  job: {
    taskId: '7',
    connection: 'c',
    boot: 'b',
    repository: 'r',
    workflow: 'w',
    job: 'j',
    backend: 'host',
    stepNames: ['One'],
  },
  folder,
  channel: { updateLog: away, updateTask: away },
  settings: { intervalMs: 10, retry: { maxRetries: 1, initialDelayMs: 10, maxDelayMs: 0 }, spoolLimitBytes: 1e9 },
  clock: systemClock,
  log: quiet,
});
report.step({ kind: 'started', index: 0, stage: 'main', name: 'One', atMs: Date.now() });
for (let first = 0; ; first += 7) {
  const rows = Array.from({ length: 7 }, (_, number) => ({ atMs: Date.now(), text: `row ${first + number}` }));
  await report.rows({ kind: 'step', index: 0, stage: 'main' }, rows);
  process.stdout.write(`${first + 7}\n`);
}
