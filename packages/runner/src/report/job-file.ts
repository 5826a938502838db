import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { JobResult } from './job-report.ts';
import type { StepState } from './report-channel.ts';

/** Name of the log in the folder of a job. */
export const jobLogName = 'log';
const fileName = 'job.json';

/** What is known of a job on the disk: enough to report it when the runner died, and to show it later. No secret. */
export interface JobFile {
  readonly version: 1;
  readonly taskId: string;
  /** Name of the connection that the task came from. */
  readonly connection: string;
  /** UUID of the runner on its instance: names of connections are not unique to a machine. */
  readonly runner?: string;
  /** Start of the runner's process, as in the owner of its resources. */
  readonly boot: string;
  readonly repository: string;
  readonly workflow: string;
  readonly job: string;
  readonly backend: string;
  readonly startedAtMs: number;
  /** Names of the steps, masked; the server knows as many. */
  readonly stepNames: readonly string[];
  readonly steps: readonly StepState[];
  /** Rows that the server has at least. */
  readonly ackedRows: number;
  readonly rows: number;
  readonly bytes: number;
  readonly ended?: JobEnd;
  /** What became of the report; missing while it goes on. */
  readonly delivery?: 'delivered' | 'refused' | 'given-up';
}

/** How a job ended. */
export interface JobEnd {
  readonly result: JobResult;
  readonly stoppedAtMs: number;
  /** Pairs, because a name may be `__proto__`. Emptied once they are reported. */
  readonly outputs: readonly (readonly [string, string])[];
  /** The row that the log on the server ends with. */
  readonly closingRow: string;
}

const result = z.enum(['success', 'failure', 'cancelled', 'skipped']);
const count = z.int().min(0);
const text = z.string();
const step = z.object({
  index: count.max(100_000),
  result: result.exactOptional(),
  startedAtMs: z.number().exactOptional(),
  stoppedAtMs: z.number().exactOptional(),
  logIndex: count,
  logLength: count,
});
const ended = z.object({
  result,
  stoppedAtMs: z.number(),
  outputs: z.array(z.tuple([text, text])),
  closingRow: text,
});
const schema: z.ZodType<JobFile> = z.object({
  version: z.literal(1),
  taskId: text.min(1).max(64),
  connection: text,
  runner: text.exactOptional(),
  boot: text,
  repository: text,
  workflow: text,
  job: text,
  backend: text,
  startedAtMs: z.number(),
  stepNames: z.array(text).max(100_000),
  steps: z.array(step),
  ackedRows: count,
  rows: count,
  bytes: count,
  ended: ended.exactOptional(),
  delivery: z.enum(['delivered', 'refused', 'given-up']).exactOptional(),
});

/** Writes the file whole or not at all; with `isDurable` it is on the disk when this resolves. */
export async function writeJobFile(folder: string, content: JobFile, isDurable: boolean): Promise<void> {
  const written = join(folder, `${fileName}.new`);
  {
    await using file = await open(written, 'w', 0o600);
    await file.writeFile(JSON.stringify(content));
    if (isDurable) await file.sync();
  }
  await rename(written, join(folder, fileName));
}

/** Reads the file of a job; `undefined` where there is none that can be used. */
export async function readJobFile(folder: string): Promise<JobFile | undefined> {
  try {
    const read = schema.safeParse(JSON.parse(await readFile(join(folder, fileName), 'utf8')));
    return read.success ? read.data : undefined;
  } catch {
    return undefined; // no folder, no file, no JSON
  }
}

/** Writes the file of one job, one writing after the other; states that nobody would see are left out. */
export class JobFileWriter {
  readonly #folder: string;
  readonly #content: () => JobFile;
  readonly #onError: (error: unknown) => void;
  #isWanted = false;
  #writing: Promise<void> | undefined;

  constructor(folder: string, content: () => JobFile, onError: (error: unknown) => void) {
    this.#folder = folder;
    this.#content = content;
    this.#onError = onError;
  }

  /** Has the present state written soon. */
  touch(): void {
    this.#isWanted = true;
    this.#writing ??= this.#write();
  }

  /** Writes the present state, and rejects where that fails. */
  async save(): Promise<void> {
    this.#isWanted = false;
    await this.#writing;
    await writeJobFile(this.#folder, this.#content(), true);
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#isWanted) {
      this.#isWanted = false;
      // The next change brings another try.
      await writeJobFile(this.#folder, this.#content(), false).catch(this.#onError);
    }
    this.#writing = undefined;
  }
}
