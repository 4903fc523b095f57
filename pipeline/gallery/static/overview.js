// The artifacts of the store, their lineage, and the refused records.

import { ask } from "./data.js";
import { el, number, svg, table } from "./dom.js";

const FEW = 12; // artifacts of a layer of the graph

export async function overview(page) {
  const found = await ask("overview");
  page.append(
    el("h1", {}, "Overview"),
    found.folder ? el("p", { class: "soft" }, `A folder of ${number(found.folder.images)} of the ${number(found.folder.of)} images of `, el("code", {}, found.folder.looked_at)) : "",
    el(
      "div",
      { class: "tiles" },
      tile(found.artifacts.length, "artifacts"),
      tile(sum(found.artifacts, "rows"), "rows"),
      tile(`${number(sum(found.artifacts, "bytes") / 1e6, 1)} MB`, "in files"),
      tile(`${number(sum(found.artifacts, "seconds"), 0)} s`, "to make"),
      tile(sum(found.refused, "records"), "records refused"),
    ),
    el("h2", {}, "Lineage"),
    ...lineageCard(found),
    el("h2", {}, "Artifacts"),
    table(
      [
        ["artifact", (row) => el("code", {}, row.artifact)],
        ["stage", (row) => row.stage, "words"],
        ["rows", (row) => number(row.rows)],
        ["MB", (row) => number(row.bytes / 1e6, 2)],
        ["refused", (row) => number(row.dropped)],
        ["seconds", (row) => number(row.seconds, 1)],
        ["made", (row) => row.created.slice(0, 19)],
      ],
      found.artifacts,
    ),
    el("h2", {}, "Refused"),
    found.refused.length
      ? table(
          [
            ["artifact", (row) => el("code", {}, row.artifact)],
            ["reason", (row) => row.reason, "words"],
            ["records", (row) => number(row.records)],
          ],
          found.refused,
        )
      : el("p", { class: "soft" }, "Nothing was refused."),
  );
}

const sum = (rows, name) => rows.reduce((total, row) => total + (row[name] ?? 0), 0);
const tile = (value, words) =>
  el("div", { class: "card" }, el("b", {}, typeof value === "number" ? number(value) : value), words);

/** The graph, with only the newest artifacts of a layer until the visitor asks for all. */
function lineageCard(found) {
  const card = el("div", { class: "card wide lineage", tabindex: 0, "aria-label": "lineage" });
  const all = layers(found);
  const few = all.map((names) => names.slice(-FEW));
  const hidden = all.flat().length - few.flat().length;
  card.append(drawing(few, found.lineage));
  if (!hidden) return [card];
  const more = el("button", { type: "button", onclick: () => { card.replaceChildren(drawing(all, found.lineage)); more.remove(); } },
    `Show ${number(hidden)} older artifacts`);
  return [card, el("p", {}, more)];
}

/** Names of artifacts by their distance from the sources, each layer from old to new. */
function layers({ artifacts, lineage: edges }) {
  const parents = new Map(artifacts.map(({ artifact }) => [artifact, []]));
  for (const { artifact, made_from } of edges) parents.get(artifact)?.push(made_from);
  const depth = new Map();
  const deep = (name) => {
    if (!depth.has(name)) {
      depth.set(name, 0);
      depth.set(name, Math.max(-1, ...(parents.get(name) ?? []).map(deep)) + 1);
    }
    return depth.get(name);
  };
  const found = [];
  for (const { artifact } of [...artifacts].reverse()) (found[deep(artifact)] ??= []).push(artifact);
  return Array.from(found, (names) => names ?? []);
}

/** Artifacts as boxes; each is to the right of those it was made from. */
function drawing(columns, edges) {
  const place = new Map();
  columns.forEach((names, x) => names.forEach((name, y) => place.set(name, [10 + x * 190, 10 + y * 44])));
  const tall = 20 + 44 * Math.max(...columns.map((names) => names.length));
  const wide = 20 + 190 * columns.length;
  const chart = svg("svg", { viewBox: `0 0 ${wide} ${tall}`, width: wide, height: tall, class: "chart", role: "img",
    style: `width:${wide}px`, "aria-label": "which artifact was made from which" });
  for (const { artifact, made_from, role } of edges) {
    if (!place.has(artifact) || !place.has(made_from)) continue;
    const [[x0, y0], [x1, y1]] = [place.get(made_from), place.get(artifact)];
    const middle = (x0 + 160 + x1) / 2;
    chart.append(
      svg("path", { d: `M${x0 + 160} ${y0 + 16}C${middle} ${y0 + 16} ${middle} ${y1 + 16} ${x1} ${y1 + 16}`, stroke: "var(--line)" },
        svg("title", {}, role)),
    );
  }
  for (const [name, [x, y]] of place) {
    const [kind, version] = name.split("/");
    chart.append(
      svg("rect", { x, y, width: 160, height: 32, rx: 6, fill: "var(--card)", stroke: "var(--soft)" }),
      svg("text", { x: x + 8, y: y + 14, style: "fill:var(--ink);font-weight:600" }, kind),
      svg("text", { x: x + 8, y: y + 27 }, version),
    );
  }
  return chart;
}
