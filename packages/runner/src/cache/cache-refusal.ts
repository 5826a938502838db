/** Why a request is refused. Each way of speaking with clients has its own numbers for these. */
export type RefusalKind = 'unknown-job' | 'denied' | 'missing' | 'exists' | 'invalid' | 'too-large' | 'full';

/** What a client asks for and cannot have. Its message is for the log of a job. */
export class CacheRefusal extends Error {
  override readonly name: string = 'CacheRefusal';
  readonly kind: RefusalKind;

  constructor(kind: RefusalKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
