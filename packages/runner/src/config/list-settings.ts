import * as z from 'zod';
import { keysOf, partOf, settingOf } from './plain-value.ts';
import { configSchema } from './schema.ts';
import type { Setting } from './setting.ts';

/** A key of the configuration file. */
export interface ListedSetting {
  /** From the root; `<name>` where any name may stand. */
  readonly path: readonly string[];
  /** Absent for a key that only holds others. */
  readonly setting?: Setting;
  /** Nothing happens by default: the section is not there. */
  readonly isOptional: boolean;
}

/** Every key of the configuration file, sections before what is in them. */
export function listSettings(): readonly ListedSetting[] {
  return below(configSchema, []);
}

function below(schema: z.core.$ZodType, path: readonly string[]): readonly ListedSetting[] {
  const keys = keysOf(schema) ?? ['<name>'];
  return keys.flatMap((key) => {
    const part = partOf(schema, key);
    if (part === undefined) return [];
    const own = [...path, key];
    const setting = settingOf(part);
    const listed = { path: own, isOptional: part instanceof z.ZodOptional };
    return setting === undefined ? [listed, ...below(part, own)] : [{ ...listed, setting }];
  });
}
