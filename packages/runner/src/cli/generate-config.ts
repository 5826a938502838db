import { exampleConfig } from '../config/example-config.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';

/** `generate-config`: a configuration file to start from. */
export async function generateConfig({ io }: CommandContext): Promise<number> {
  io.stdout.write(exampleConfig());
  return exitCodes.success;
}
