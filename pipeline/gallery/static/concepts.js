// The concept pool: what regions were called, and what captions say.

import { histogram } from "./charts.js";
import { ask, picture } from "./data.js";
import { el, number, percent, table } from "./dom.js";
import { go } from "./route.js";

const WAYS = {
  all: ["all", () => true],
  silent: ["mentioned, never assigned", (row) => row.mentioned > 0 && row.regions === 0],
  alone: ["assigned, never mentioned", (row) => row.regions > 0 && row.mentioned === 0],
};

export async function concepts(page, given) {
  const rows = await ask("concepts");
  const way = WAYS[given.only] ? given.only : "all";
  const wanted = (given.like ?? "").toLowerCase();
  const kept = rows.filter((row) => WAYS[way][1](row) && row.concept.toLowerCase().includes(wanted));
  page.append(
    el("h1", {}, "Concepts"),
    el(
      "form",
      { class: "filters", onsubmit: (event) => { event.preventDefault(); go("concepts", Object.fromEntries(new FormData(event.target))); } },
      el("label", {}, "name", el("input", { name: "like", value: given.like ?? "" })),
      el("label", {}, "show", el("select", { name: "only" },
        Object.entries(WAYS).map(([key, [words]]) => el("option", { value: key, selected: key === way }, words)))),
      el("button", {}, "Show"),
    ),
    el("p", { class: "soft" }, `${number(kept.length)} of ${number(rows.length)} concepts`),
    table(
      [
        ["concept", (row) => row.concept, "words"],
        ["regions", (row) => number(row.regions)],
        ["images", (row) => number(row.images)],
        ["mean probability", (row) => number(row.probability)],
        ["captions agree", (row) => percent(row.in_caption)],
        ["images that mention it", (row) => number(row.mentioned)],
      ],
      kept.slice(0, 2000),
      (row) => go("concept", { name: row.concept }),
    ),
  );
}

export async function concept(page, given) {
  const found = await ask("concept", { name: given.name });
  const counts = Array(20).fill(0);
  for (const { bin, regions } of found.histogram) counts[bin] = regions;
  page.append(
    el("h1", {}, given.name),
    el("p", {}, el("a", { href: `#images?${new URLSearchParams({ concept: given.name })}` }, "images with it")),
    el(
      "div",
      { class: "two" },
      el("section", { class: "card" }, el("h2", {}, "How sure"), histogram(counts, "probability")),
      el("section", { class: "card" }, el("h2", {}, "Nearest in the space of texts"),
        table([["concept", (row) => row.concept, "words"], ["cosine", (row) => number(row.cosine, 3)]], found.near, (row) => go("concept", { name: row.concept }))),
    ),
    el("h2", {}, "Surest regions"), crops(found.surest),
    el("h2", {}, "Least sure of those kept"), crops(found.unsure),
  );
}

/** Crops of regions, each a way to its image. */
export function crops(rows) {
  if (!rows.length) return el("p", { class: "soft" }, "None.");
  return el(
    "div",
    { class: "crops" },
    rows.map((row) =>
      el(
        "a",
        { href: `#image?${new URLSearchParams({ id: row.image_id })}`, title: `${row.image_id}, region ${row.region}` },
        el("img", { src: picture("crop", { id: row.image_id, box: [row.x0, row.y0, row.x1, row.y1].join(",") }), alt: row.concept ?? "region", loading: "lazy" }),
        `${row.concept ?? ""} ${number(row.score ?? row.probability)}`,
      ),
    ),
  );
}
