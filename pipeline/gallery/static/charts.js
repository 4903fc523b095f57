// Small charts as SVG.

import { number, svg } from "./dom.js";

const COLOURS = ["var(--accent)", "var(--bad)", "var(--good)", "var(--other)", "var(--soft)"];
const BOX = { left: 46, right: 12, top: 10, bottom: 28, width: 420, height: 220 };

/**
 * Lines over a common axis.
 * @param {{name: string, points: [number, number][]}[]} lines
 * @param {{x: string, y: string, range: number[]=}} axes
 */
export function lineChart(lines, axes) {
  const points = lines.flatMap((line) => line.points).filter(([, y]) => y !== null);
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const [low, high] = axes.range ?? [Math.min(0, ...ys), Math.max(...ys, 1e-9)];
  const [first, last] = [Math.min(...xs), Math.max(...xs)];
  const atX = (x) => BOX.left + ((x - first) / (last - first || 1)) * (BOX.width - BOX.left - BOX.right);
  const atY = (y) => BOX.height - BOX.bottom - ((y - low) / (high - low || 1)) * (BOX.height - BOX.top - BOX.bottom);
  const chart = svg("svg", {
    class: "chart",
    viewBox: `0 0 ${BOX.width} ${BOX.height + 18 * Math.ceil(lines.length / 3)}`,
    role: "img",
    "aria-label": `${axes.y} over ${axes.x}: ${lines.map((line) => line.name).join(", ")}`,
  });
  for (const share of [0, 0.5, 1]) {
    const y = low + share * (high - low);
    chart.append(
      svg("line", { class: "axis", x1: BOX.left, x2: BOX.width - BOX.right, y1: atY(y), y2: atY(y) }),
      svg("text", { x: BOX.left - 6, y: atY(y) + 4, "text-anchor": "end" }, number(y, high - low < 5 ? 2 : 0)),
    );
    const x = first + share * (last - first);
    chart.append(svg("text", { x: atX(x), y: BOX.height - 12, "text-anchor": "middle" }, number(x, 1)));
  }
  lines.forEach((line, at) => {
    const kept = line.points.filter(([, y]) => y !== null);
    const path = kept.map(([x, y], n) => `${n ? "L" : "M"}${atX(x).toFixed(1)} ${atY(y).toFixed(1)}`).join("");
    const colour = COLOURS[at % COLOURS.length];
    chart.append(
      svg("path", { d: path, stroke: colour }),
      svg(
        "text",
        { x: BOX.left + (at % 3) * 130, y: BOX.height + 12 + 18 * Math.floor(at / 3), style: `fill:${colour}` },
        line.name,
      ),
    );
  });
  return chart;
}

/** One bar for each count, with labels at the ends. */
export function histogram(counts, axis) {
  const most = Math.max(1, ...counts);
  const wide = (BOX.width - BOX.left) / counts.length;
  const chart = svg("svg", {
    class: "chart bars",
    viewBox: `0 0 ${BOX.width} 130`,
    role: "img",
    "aria-label": `${axis}: ${counts.join(", ")}`,
  });
  counts.forEach((count, at) => {
    const high = (count / most) * 90;
    chart.append(
      svg(
        "rect",
        { x: BOX.left + at * wide, y: 100 - high, width: Math.max(1, wide - 2), height: high },
        svg("title", {}, `${number(count)}`),
      ),
    );
  });
  chart.append(
    svg("text", { x: BOX.left, y: 118 }, "0"),
    svg("text", { x: BOX.width, y: 118, "text-anchor": "end" }, `${axis} 1`),
    svg("text", { x: BOX.left - 6, y: 18, "text-anchor": "end" }, number(most)),
  );
  return chart;
}
