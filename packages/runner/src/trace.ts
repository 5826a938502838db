import { type Attributes, type Span, SpanStatusCode, trace } from '@opentelemetry/api';

/**
 * Does some work within a span. Nothing is recorded unless somebody registered a provider with OpenTelemetry in this process;
 * attributes must hold no secret.
 */
export async function traced<T>(name: string, attributes: Attributes, work: (span: Span) => Promise<T>): Promise<T> {
  return trace.getTracer('forgejo-runner').startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}
