import { execFile } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';

/** One pipe: the end that a child writes to, as a file descriptor, and ours as a stream. */
export interface ProcessPipe {
  readonly childFd: number;
  readonly ours: Socket;
}

const batchSize = 12;

/**
 * Real pipes for the output of processes, made as named ones below a folder. Node connects children by sockets, and
 * Linux does not open `/dev/stdout` on a socket: `echo x > /dev/stderr` and `tee /dev/stdout` would fail in every
 * script. Elsewhere, and where there is no `mkfifo`, there are none, and the sockets have to do. For input they always
 * do: opening `/dev/stdin` again on a named pipe would wait for ever once everything was written.
 */
export class PipeSource {
  readonly #parent: string;
  readonly #isWanted: boolean;
  #folder: string | undefined;
  #ready: string[] = [];
  #making: Promise<void> | undefined;
  #made = 0;
  #isBroken = false;

  constructor(parent: string, platform: NodeJS.Platform = process.platform) {
    this.#parent = parent;
    this.#isWanted = platform === 'linux';
  }

  /** A pipe that a child can write to, or `undefined` where there is none to be had. */
  async open(): Promise<ProcessPipe | undefined> {
    while (this.#isWanted && !this.#isBroken && this.#ready.length === 0) await this.#makeMore();
    const file = this.#ready.pop();
    return file === undefined ? undefined : openPipe(file);
  }

  /** Removes what was made and not used. */
  async close(): Promise<void> {
    this.#isBroken = true;
    await this.#making;
    this.#ready = [];
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }

  async #makeMore(): Promise<void> {
    this.#making ??= this.#makeBatch().finally(() => {
      this.#making = undefined;
    });
    await this.#making;
  }

  /** Several at once: starting `mkfifo` costs more than the step `run: true` that needs its pipes. */
  async #makeBatch(): Promise<void> {
    try {
      this.#folder ??= await mkdtemp(path.join(this.#parent, 'pipes-'));
      const folder = this.#folder;
      const files = Array.from({ length: batchSize }, () => path.join(folder, String(this.#made++)));
      await promisify(execFile)('mkfifo', ['-m', '600', ...files]);
      this.#ready.push(...files);
    } catch {
      this.#isBroken = true;
    }
  }
}

function openPipe(file: string): ProcessPipe | undefined {
  const opened: number[] = [];
  const open = (flag: number): number => {
    // Never blocking: opening a pipe waits for its other end, and a job could put one of its own in this place.
    const fd = openSync(file, flag | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    opened.push(fd);
    if (!fstatSync(fd).isFIFO()) throw new Error('not a pipe any more');
    return fd;
  };
  try {
    const readFd = open(constants.O_RDONLY);
    const childFd = open(constants.O_WRONLY);
    return { ours: new Socket({ fd: readFd, readable: true, writable: false }), childFd };
  } catch {
    for (const fd of opened) closeSync(fd);
    return undefined;
  } finally {
    rmSync(file, { force: true });
  }
}
