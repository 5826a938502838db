import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';

/** What a runner remembers of an image that it pulled or built. */
export interface ImageRecord {
  readonly kind: 'pulled' | 'built';
  /** As jobs ask for it. */
  readonly name: string;
  readonly platform: string;
  readonly id: string;
  readonly pulledAtMs: number;
  /** It was not in the engine before, so nobody else put it there. */
  readonly isOurs: boolean;
}

/** A record, and when a job last had its image. */
export interface UsedImageRecord extends ImageRecord {
  readonly file: string;
  readonly usedAtMs: number;
}

const recordSchema: z.ZodType<ImageRecord> = z.strictObject({
  kind: z.enum(['pulled', 'built']),
  name: z.string(),
  platform: z.string(),
  id: z.string(),
  pulledAtMs: z.number(),
  isOurs: z.boolean(),
});

/**
 * What was pulled and built, and when: an engine says neither, and without it images could be neither refreshed nor
 * removed by age. A file for each image, whose time is that of its last use, so that runs need no lock. It is kept for
 * convenience: a file that cannot be read is none.
 */
export class ImageRecords {
  readonly #folder: string;

  constructor(stateDir: string) {
    this.#folder = join(stateDir, 'images');
  }

  /** Remembers an image that was pulled or built just now. */
  async write(record: ImageRecord): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const file = this.#file(record);
    const half = `${file}.${randomUUID()}`;
    await writeFile(half, JSON.stringify(record), { mode: 0o600 });
    await rename(half, file);
  }

  /** What is known of an image. */
  async find(image: Pick<ImageRecord, 'name' | 'platform'>): Promise<UsedImageRecord | undefined> {
    return readRecord(this.#file(image));
  }

  /** Remembers that a job has the image now. One that is not known stays unknown. */
  async touch(image: Pick<ImageRecord, 'name' | 'platform'>): Promise<void> {
    const now = new Date();
    await utimes(this.#file(image), now, now).catch(() => {});
  }

  /** Everything that is known. */
  async list(): Promise<readonly UsedImageRecord[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const records = await Promise.all(
      names.filter((name) => name.endsWith('.json')).map((name) => readRecord(join(this.#folder, name))),
    );
    return records.filter((record) => record !== undefined);
  }

  /** Forgets an image that is gone. */
  async forget({ file }: Pick<UsedImageRecord, 'file'>): Promise<void> {
    await rm(file, { force: true });
  }

  #file({ name, platform }: Pick<ImageRecord, 'name' | 'platform'>): string {
    const key = createHash('sha256').update(`${name}\n${platform}`).digest('hex').slice(0, 40);
    return join(this.#folder, `${key}.json`);
  }
}

async function readRecord(file: string): Promise<UsedImageRecord | undefined> {
  try {
    const [content, { mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
    const read = recordSchema.safeParse(JSON.parse(content));
    return read.success ? { ...read.data, file, usedAtMs: mtimeMs } : undefined;
  } catch {
    return undefined;
  }
}
