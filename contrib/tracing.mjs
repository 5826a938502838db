// Sends the spans of the runner to a collector, at OTEL_EXPORTER_OTLP_ENDPOINT or on this machine. In a folder of its own:
//
//   npm install @opentelemetry/api@1.10 @opentelemetry/context-async-hooks@3 @opentelemetry/sdk-trace@3 @opentelemetry/exporter-trace-otlp-http
//   NODE_OPTIONS=--import=/etc/forgejo-runner/tracing.mjs forgejo-runner daemon
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

const provider = new TracerProvider({
  spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
});
trace.setGlobalTracerProvider(provider);
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
// The last spans are on their way when the runner has nothing more to do.
process.once('beforeExit', () => {
  void provider.shutdown();
});
