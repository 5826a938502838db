/**
 * A task as the protocol carries it: what is read of the message, whatever codec brought it. Nothing in it is to be
 * trusted, not even the shape of what the server copied from elsewhere.
 */
export interface TaskMessage {
  readonly id: bigint;
  /** YAML of a workflow with one job. */
  readonly workflowPayload?: Uint8Array;
  /** A `google.protobuf.Struct` as JSON. */
  readonly context?: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly vars: Readonly<Record<string, string>>;
  readonly needs: Readonly<Record<string, NeedMessage>>;
}

/** A job that the task waited for. */
export interface NeedMessage {
  readonly outputs: Readonly<Record<string, string>>;
  /** Number of the result: 1 success, 2 failure, 3 cancelled, 4 skipped. */
  readonly result: number;
}
