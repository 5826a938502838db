import type { CommandHandler } from '../log/log-pipeline.ts';

/** What the workflow commands in the output of a step may change. */
export interface CommandTargets {
  readonly outputs: Map<string, string>;
  readonly state: Map<string, string>;
  /** For `set-env` and `add-path`, which come only where the workflow asks for them. */
  readonly setEnv: (name: string, value: string) => void;
  readonly addPath: (folder: string) => void;
  readonly readFile?: (path: string) => Promise<string>;
}

/** Carries out the workflow commands of one step. */
export function stepCommands(targets: CommandTargets): CommandHandler {
  return {
    handle: (command) => {
      switch (command.kind) {
        case 'set-output':
          targets.outputs.set(command.name, command.value);
          return;
        case 'save-state':
          targets.state.set(command.name, command.value);
          return;
        case 'set-env':
          targets.setEnv(command.name, command.value);
          return;
        case 'add-path':
          targets.addPath(command.path);
          return;
        case 'add-mask':
          // The log hid the value before it came here.
          return;
        default:
          command satisfies never;
      }
    },
    ...(targets.readFile === undefined ? {} : { readFile: targets.readFile }),
  };
}

/** For output that no workflow writes: nothing in it is carried out. */
export const noCommands: CommandHandler = { handle: () => {} };
