import { CacheRefusal } from './cache-refusal.ts';

/** As many as Azure allows. */
const mostBlocks = 50_000;

/**
 * Reads which blocks make a content, from the body of a `Put Block List`. The format has no other elements than these, no
 * attributes and no entities in ids, so this reads exactly that and nothing of what XML could do otherwise.
 *
 * @throws {CacheRefusal} `invalid` for anything else.
 */
export function readBlockList(xml: string): readonly string[] {
  const [, content] = /^\s*(?:<\?xml[^>]*\?>)?\s*<BlockList>([^]*)<\/BlockList>\s*$/.exec(xml) ?? [];
  if (content === undefined && /^\s*(?:<\?xml[^>]*\?>)?\s*<BlockList\s*\/>\s*$/.test(xml)) return [];
  if (content === undefined) throw malformed();
  const ids: string[] = [];
  const rest = content.replaceAll(
    /<(Latest|Uncommitted|Committed)>\s*([A-Za-z0-9+/=_-]{1,128})\s*<\/\1>/g,
    (_match, _kind, id: string) => {
      ids.push(id);
      return '';
    },
  );
  if (rest.trim() !== '' || ids.length > mostBlocks) throw malformed();
  return ids;
}

function malformed(): CacheRefusal {
  return new CacheRefusal('invalid', `expected a list of at most ${mostBlocks} blocks, found something else`);
}
