import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openMetrics } from './metrics.ts';

const page = fileURLToPath(new URL('../../../../docs/reference/metrics.md', import.meta.url));

const introduction = `# Metrics

For administrators: what \`/metrics\` of \`health.listen\` has for Prometheus. This page is made from the same table; \`vitest -u\`
writes it anew. No label comes from a workflow, so that there are never many of them.

| name | type | labels | meaning |
|---|---|---|---|
`;

const end = `
Beside these there are the usual numbers of a process, \`process_…\` and \`nodejs_…\`.

## How long jobs wait

An instance does not tell a runner since when a job waits, so nothing here is that time: the instance has it. What the runner adds
to it shows in two numbers. While all places are taken, it asks for no jobs: \`rate(forgejo_runner_place_wait_seconds_sum[1h])\` is the
share of time in which jobs may have waited for this runner, close to 1 where it is too small. \`job_setup_seconds\` is what a job waits
after that, also for a place of its backend.

## Backends

An \`operation\` is a call of the contract between runner and backends, from \`createEnvironment\` to \`remove\`. The backend
\`docker-driver\` makes containers at the engine that an environment of another backend hands out. Processes of jobs are not among
the operations, because they take as long as their commands do.

## Probes

\`/healthz\` answers 200 as long as the process can answer. \`/readyz\` answers 200 while every instance answered when it was asked
last, no backend says that it is down, and the runner is not about to stop; else 503 with the reason. Neither wants a token. Backends
are asked every ten seconds at most, so a probe never waits for one that was asked before. \`/\` is a page that shows jobs now with their logs,
backends, instances and recent jobs; \`/status.json\` is the same for programs.

## Traces

Jobs, steps, their processes and calls of backends are spans of OpenTelemetry: \`job\`, \`step\`, \`exec\`, and \`backend.\` with the name of an
operation, such as \`backend.createEnvironment\`. They go where the provider sends them that you register; [contrib/tracing.mjs](../../contrib/tracing.mjs) sends them to a collector, by
\`NODE_OPTIONS=--import=/path/to/tracing.mjs\`. It wants version 1.10 or newer of \`@opentelemetry/api\`. Without a provider nothing is
recorded, and jobs see nothing of either. Names and texts in them are masked.
`;

it('are documented', async () => {
  const metrics = await openMetrics().registry.getMetricsAsJSON();
  const own = metrics.filter(({ name }) => name.startsWith('forgejo_runner_'));
  const labels: Readonly<Record<string, string>> = {
    forgejo_runner_jobs_total: '`result`, `backend`',
    forgejo_runner_job_duration_seconds: '`backend`',
    forgejo_runner_job_setup_seconds: '`backend`',
    forgejo_runner_place_wait_seconds: '`connection`',
    forgejo_runner_api_request_seconds: '`connection`, `method`',
    forgejo_runner_backend_operation_seconds: '`backend`, `operation`',
    forgejo_runner_backend_errors_total: '`backend`, `operation`, `code`',
    forgejo_runner_api_errors_total: '`connection`, `method`, `code`',
  };
  const rows = own.map(
    ({ name, type, help }) => `| \`${name}\` | ${String(type)} | ${labels[name] ?? ''} | ${help} |\n`,
  );
  await expect(introduction + rows.join('') + end).toMatchFileSnapshot(page);
});

it('counts a job with the time to its first step, where it had one', async () => {
  const metrics = openMetrics();
  metrics.ended({ result: 'success', backend: 'host', durationMs: 2000, setupMs: 500, rows: 3, bytes: 10 });
  metrics.ended({ result: 'failure', backend: '', durationMs: 1, rows: 1, bytes: 1 });
  metrics.hadPlace('main', 7000);
  metrics.asked('main', { method: 'Ping', durationMs: 10, failure: 'FRR701' });
  const text = await metrics.registry.metrics();
  expect(text).toContain('forgejo_runner_jobs_total{result="failure",backend="none"} 1');
  expect(text).toContain('forgejo_runner_job_setup_seconds_count{backend="host"} 1');
  expect(text).toContain('forgejo_runner_place_wait_seconds_sum{connection="main"} 7');
  expect(text).not.toContain('forgejo_runner_job_setup_seconds_count{backend="none"}');
  expect(text).toContain('forgejo_runner_log_rows_total 4');
  expect(text).toContain('forgejo_runner_api_errors_total{connection="main",method="Ping",code="FRR701"} 1');
});
