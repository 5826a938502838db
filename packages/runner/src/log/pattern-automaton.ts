/** Places in a text as start, end, start, end, …: sorted, and no two of them overlap or touch. */
export type Spans = number[];

/** Entries of the rows that hold a step for every character class: 4 MiB, which the caches of a processor still like. */
const denseEntries = 2 ** 20;

/**
 * Finds all of many patterns in one walk over a text (Aho–Corasick over UTF-16 code units). A character costs the same
 * however many patterns there are. Shallow nodes, where nearly all steps of a normal text happen, have a row with the
 * next node for every class of characters; deeper ones have their children and a link to fall back to.
 *
 * Nodes are numbered breadth first, so the children of a node are neighbours.
 */
export class PatternAutomaton {
  readonly patterns: readonly string[];
  /** Characters of all patterns: what building cost. */
  readonly weight: number;
  readonly #classOf = new Int32Array(65_536);
  readonly #classes: number;
  readonly #unit: Uint16Array;
  readonly #firstChild: Int32Array;
  readonly #fallback: Int32Array;
  /** Length of the longest pattern that ends in a node, or 0. */
  readonly #longest: Int32Array;
  /** First node of each depth. */
  readonly #levels: number[] = [0];
  readonly #rows: Int32Array;
  readonly #denseNodes: number;

  /** @param patterns Different from each other and not empty. */
  constructor(patterns: readonly string[]) {
    this.patterns = patterns;
    const sorted = patterns.toSorted(byCodeUnits);
    let weight = 0;
    for (const pattern of sorted) weight += pattern.length;
    this.weight = weight;
    this.#classes = this.#sortCharacters(sorted);

    const trie = this.#buildTrie(sorted);
    this.#unit = trie.unit;
    this.#firstChild = trie.firstChild;
    this.#longest = trie.longest;
    const nodes = trie.unit.length;
    this.#fallback = new Int32Array(nodes);
    this.#denseNodes = Math.min(nodes, Math.max(1, Math.floor(denseEntries / this.#classes)));
    this.#rows = new Int32Array(this.#denseNodes * this.#classes);
    this.#link();
  }

  /**
   * Adds to `found` where patterns are in `text`, and returns how many characters at its end may be the beginning of
   * a pattern that goes on in a later text.
   */
  scan(text: string, found: Spans): number {
    const classOf = this.#classOf;
    const classes = this.#classes;
    const rows = this.#rows;
    const longest = this.#longest;
    const dense = this.#denseNodes;
    let node = 0;
    for (let index = 0; index < text.length; index += 1) {
      const unit = text.charCodeAt(index);
      node = node < dense ? (rows[node * classes + (classOf[unit] ?? 0)] ?? 0) : this.#step(node, unit);
      const length = longest[node] ?? 0;
      if (length > 0) addSpan(found, index + 1 - length, index + 1);
    }
    return this.#depth(node);
  }

  #sortCharacters(patterns: readonly string[]): number {
    let classes = 1; // class 0: characters of no pattern
    for (const pattern of patterns) {
      for (let index = 0; index < pattern.length; index += 1) {
        const unit = pattern.charCodeAt(index);
        if (this.#classOf[unit] === 0) {
          this.#classOf[unit] = classes;
          classes += 1;
        }
      }
    }
    return classes;
  }

  /** One level at a time: a node is a range of the sorted patterns that begin alike. */
  #buildTrie(sorted: readonly string[]): { unit: Uint16Array; firstChild: Int32Array; longest: Int32Array } {
    const unit = new Uint16Array(this.weight + 1);
    const firstChild = new Int32Array(this.weight + 2);
    const longest = new Int32Array(this.weight + 1);
    let nodes = 1;
    let node = 0;
    let ranges = [0, sorted.length];
    for (let depth = 0; ranges.length > 0; depth += 1) {
      const next: number[] = [];
      for (let pair = 0; pair < ranges.length; pair += 2) {
        let low = ranges[pair] ?? 0;
        const high = ranges[pair + 1] ?? 0;
        if (sorted[low]?.length === depth && depth > 0) {
          longest[node] = depth;
          low += 1;
        }
        firstChild[node] = nodes;
        while (low < high) {
          const first = low;
          const character = sorted[low]?.charCodeAt(depth) ?? 0;
          while (low < high && sorted[low]?.charCodeAt(depth) === character) low += 1;
          unit[nodes] = character;
          next.push(first, low);
          nodes += 1;
        }
        node += 1;
      }
      if (next.length > 0) this.#levels.push(node);
      ranges = next;
    }
    firstChild[nodes] = nodes;
    return { unit: unit.slice(0, nodes), firstChild: firstChild.slice(0, nodes + 1), longest: longest.slice(0, nodes) };
  }

  /** Breadth first: whatever a node falls back to is shallower, so it is complete already. */
  #link(): void {
    for (let node = 0; node < this.#unit.length; node += 1) {
      const fallback = this.#fallback[node] ?? 0;
      if (this.#longest[node] === 0) this.#longest[node] = this.#longest[fallback] ?? 0;
      const end = this.#firstChild[node + 1] ?? 0;
      for (let child = this.#firstChild[node] ?? 0; child < end; child += 1) {
        this.#fallback[child] = node === 0 ? 0 : this.#step(fallback, this.#unit[child] ?? 0);
      }
      if (node < this.#denseNodes) this.#fillRow(node, fallback);
    }
  }

  #fillRow(node: number, fallback: number): void {
    const start = node * this.#classes;
    if (node > 0) this.#rows.copyWithin(start, fallback * this.#classes, (fallback + 1) * this.#classes);
    const end = this.#firstChild[node + 1] ?? 0;
    for (let child = this.#firstChild[node] ?? 0; child < end; child += 1) {
      this.#rows[start + (this.#classOf[this.#unit[child] ?? 0] ?? 0)] = child;
    }
  }

  #step(from: number, unit: number): number {
    const characterClass = this.#classOf[unit] ?? 0;
    let node = from;
    while (node >= this.#denseNodes) {
      const child = this.#child(node, unit);
      if (child > 0) return child;
      node = this.#fallback[node] ?? 0;
    }
    return this.#rows[node * this.#classes + characterClass] ?? 0;
  }

  #child(node: number, unit: number): number {
    let low = this.#firstChild[node] ?? 0;
    let high = this.#firstChild[node + 1] ?? 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = this.#unit[middle] ?? 0;
      if (found === unit) return middle;
      if (found < unit) low = middle + 1;
      else high = middle;
    }
    return 0;
  }

  #depth(node: number): number {
    let low = 0;
    let high = this.#levels.length;
    while (low + 1 < high) {
      const middle = (low + high) >>> 1;
      if ((this.#levels[middle] ?? 0) <= node) low = middle;
      else high = middle;
    }
    return low;
  }
}

/** The places of two lists in one. */
export function mergeSpans(left: Spans, right: Spans): Spans {
  if (right.length === 0) return left;
  if (left.length === 0) return right;
  const merged: Spans = [];
  let l = 0;
  let r = 0;
  // By their ends, as `addSpan` needs them.
  while (l < left.length || r < right.length) {
    const fromLeft = r >= right.length || (l < left.length && (left[l + 1] ?? 0) <= (right[r + 1] ?? 0));
    if (fromLeft) {
      addSpan(merged, left[l] ?? 0, left[l + 1] ?? 0);
      l += 2;
    } else {
      addSpan(merged, right[r] ?? 0, right[r + 1] ?? 0);
      r += 2;
    }
  }
  return merged;
}

/** Spans come with growing ends; what overlaps or touches becomes one. */
function addSpan(found: Spans, start: number, end: number): void {
  let from = start;
  while (found.length > 0 && (found[found.length - 1] ?? 0) >= from) {
    found.pop();
    from = Math.min(from, found.pop() ?? from);
  }
  found.push(from, end);
}

function byCodeUnits(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
