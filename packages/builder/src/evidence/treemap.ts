import type { BundledPackage } from '../bundle/packages-in.ts';

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Item {
  readonly label: string;
  readonly bytes: number;
  readonly children: readonly Item[];
}

const whole: Box = { x: 0, y: 0, width: 1200, height: 720 };
const headerHeight = 16;

/**
 * What weighs what in a runner: a page without scripts and without anything from elsewhere, a rectangle for each package and
 * for each of its files.
 */
export function makeTreemap(packages: readonly BundledPackage[], title: string): string {
  const items = packages.map((one) => ({
    label: `${one.name} ${one.version}`,
    bytes: one.bytes,
    children: one.files.map((file) => ({ label: file.name, bytes: file.bytes, children: [] })),
  }));
  const total = items.reduce((sum, one) => sum + one.bytes, 0);
  const rows = packages.map(
    (one) =>
      `<tr><td>${escape(one.name)}</td><td>${escape(one.version)}</td><td>${escape(one.license ?? 'none')}</td><td class="n">${one.bytes}</td><td class="n">${((one.bytes / Math.max(total, 1)) * 100).toFixed(1)} %</td></tr>`,
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #222; background: #fff }
svg { width: 100%; height: auto; border: 1px solid #888 }
svg text { font: 10px system-ui, sans-serif; pointer-events: none; fill: #111 }
table { border-collapse: collapse; margin-top: 1.5rem } td, th { padding: .15rem .8rem .15rem 0; text-align: left } .n { text-align: right }
</style>
<h1>${escape(title)}</h1>
<p>${packages.length} packages, ${total} bytes of JavaScript.</p>
<svg viewBox="0 0 ${whole.width} ${whole.height}" role="img" aria-label="Packages by size">
${draw(items, whole, 0).join('\n')}
</svg>
<table>
<tr><th>package</th><th>version</th><th>licence</th><th class="n">bytes</th><th class="n">share</th></tr>
${rows.join('\n')}
</table>
</html>
`;
}

function draw(items: readonly Item[], box: Box, depth: number): readonly string[] {
  const heaviest = items.filter((one) => one.bytes > 0).toSorted((a, b) => b.bytes - a.bytes);
  return layOut(heaviest, box).flatMap(([item, place], index) => {
    if (place.width < 1 || place.height < 1) return [];
    const hue = (index * 47) % 360;
    const fill = depth === 0 ? `hsl(${hue} 45% 80%)` : 'rgb(255 255 255 / 45%)';
    const { x, y, width, height } = place;
    const rect = `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" fill="${fill}" stroke="#555" stroke-width=".5"><title>${escape(item.label)}: ${item.bytes} bytes</title></rect>`;
    const isWide = width > 60 && height > headerHeight;
    const letters = Math.floor(width / 6);
    const text = isWide
      ? [`<text x="${round(x + 3)}" y="${round(y + 12)}">${escape(item.label.slice(0, letters))}</text>`]
      : [];
    const inner = { x: x + 2, y: y + headerHeight, width: width - 4, height: height - headerHeight - 2 };
    const isRoomy = item.children.length > 0 && inner.width > 20 && inner.height > 12;
    return [rect, ...text, ...(isRoomy ? draw(item.children, inner, depth + 1) : [])];
  });
}

/** Rows of rectangles that are as near to squares as they get: Bruls, Huizing and van Wijk, "Squarified Treemaps". */
function layOut(items: readonly Item[], box: Box): readonly (readonly [Item, Box])[] {
  const total = items.reduce((sum, one) => sum + one.bytes, 0);
  if (total === 0) return [];
  const scale = (box.width * box.height) / total;
  const placed: (readonly [Item, Box])[] = [];
  let left = box;
  let rest = items;
  while (rest.length > 0) {
    const side = Math.min(left.width, left.height);
    let count = 1;
    while (
      count < rest.length &&
      worst(rest.slice(0, count + 1), side, scale) <= worst(rest.slice(0, count), side, scale)
    ) {
      count += 1;
    }
    const row = rest.slice(0, count);
    const area = row.reduce((sum, one) => sum + one.bytes, 0) * scale;
    const isTall = left.width >= left.height;
    const thickness = side === 0 ? 0 : area / side;
    let offset = 0;
    for (const item of row) {
      const length = thickness === 0 ? 0 : (item.bytes * scale) / thickness;
      placed.push([
        item,
        isTall
          ? { x: left.x, y: left.y + offset, width: thickness, height: length }
          : { x: left.x + offset, y: left.y, width: length, height: thickness },
      ]);
      offset += length;
    }
    left = isTall
      ? { ...left, x: left.x + thickness, width: left.width - thickness }
      : { ...left, y: left.y + thickness, height: left.height - thickness };
    rest = rest.slice(count);
  }
  return placed;
}

function worst(row: readonly Item[], side: number, scale: number): number {
  const areas = row.map((one) => one.bytes * scale);
  const sum = areas.reduce((a, b) => a + b, 0);
  const ratios = areas.map((area) => Math.max((side * side * area) / (sum * sum), (sum * sum) / (side * side * area)));
  return Math.max(...ratios);
}

function round(value: number): string {
  return value.toFixed(1);
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
