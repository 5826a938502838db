import type { Value } from '../expressions/values.ts';
import { toJsonText } from '../expressions/values.ts';
import type { SmallFile } from './target-files.ts';

/** The payload of the event as steps find it at `GITHUB_EVENT_PATH`. */
export function eventFile(event: Value): SmallFile {
  return { path: 'event.json', content: toJsonText(event) };
}
