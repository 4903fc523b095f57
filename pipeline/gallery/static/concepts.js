// The concept pool: pseudo-labels of regions and mentions in captions.

import { histogram } from "./charts.js";
import { ask, crop } from "./data.js";
import { announce, decimal, el, number, percent, table } from "./dom.js";
import { marking } from "./marking.js";
import { go } from "./route.js";

const WAYS = {
  all: ["all", () => true],
  silent: ["mentioned, never assigned", (row) => row.mentioned > 0 && row.regions === 0],
  alone: ["assigned, never mentioned", (row) => row.regions > 0 && row.mentioned === 0],
};
const NEAR = "near-synonyms";
const SHOWN = 2000; // rows of a table; the form finds the rest

export async function concepts(page, given) {
  const near = given.only === "near";
  const way = WAYS[given.only] ? given.only : "all";
  const options = [...Object.entries(WAYS).map(([key, [words]]) => [key, words]), ["near", NEAR]];
  page.append(
    el("h1", {}, "Concepts"),
    el(
      "form",
      { class: "filters", onsubmit: (event) => { event.preventDefault(); go("concepts", Object.fromEntries(new FormData(event.target))); } },
      el("label", {}, "name", el("input", { name: "like", value: given.like ?? "" })),
      el("label", {}, "show", el("select", { name: "only" },
        options.map(([key, words]) => el("option", { value: key, selected: key === (near ? "near" : way) }, words)))),
      el("button", {}, "Show"),
    ),
  );
  const wanted = (given.like ?? "").toLowerCase();
  const like = (name) => name.toLowerCase().includes(wanted);
  if (near) page.append(...pairs(await ask("synonyms"), like));
  else page.append(...pool(await ask("concepts"), (row) => WAYS[way][1](row) && like(row.concept)));
}

function pool(rows, wanted) {
  const kept = rows.filter(wanted);
  const columns = [
    ["concept", (row) => row.concept, "words", (row) => row.concept],
    ["regions", (row) => number(row.regions), "", (row) => row.regions],
    ["images", (row) => number(row.images), "", (row) => row.images],
    ["mean probability", (row) => decimal(row.probability), "", (row) => row.probability],
    ["in a caption", (row) => percent(row.in_caption), "", (row) => row.in_caption],
    ["images that mention it", (row) => number(row.mentioned), "", (row) => row.mentioned],
  ];
  const rest = kept.length > SHOWN ? `; the first ${number(SHOWN)} are listed` : "";
  return [
    el("p", { class: "soft" }, `${number(kept.length)} of ${number(rows.length)} concepts${rest}`),
    sortable(columns, kept, (row) => go("concept", { name: row.concept })),
  ];
}

/** A table sorted by its column headers: numbers descending, words ascending. */
function sortable(columns, rows, choose) {
  const place = el("div");
  let [by, up] = [null, false];
  const value = (row) => columns[by][3](row);
  const compare = (a, b) => (value(a) === null) - (value(b) === null) || (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (up ? 1 : -1);
  function draw() {
    const sorted = by === null ? rows : [...rows].sort(compare);
    place.replaceChildren(table(columns, sorted.slice(0, SHOWN), choose));
    [...place.querySelectorAll("th")].forEach((head, at) => {
      const words = head.textContent;
      if (at === by) head.setAttribute("aria-sort", up ? "ascending" : "descending");
      head.replaceChildren(el("button", { type: "button", onclick: () => sort(at) }, at === by ? `${words} ${up ? "▴" : "▾"}` : words));
    });
  }
  function sort(at) {
    up = at === by ? !up : at === 0;
    by = at;
    draw();
    place.querySelectorAll("th button")[at].focus();
    announce(`sorted by ${columns[at][0]}`);
  }
  draw();
  return place;
}

function pairs(found, like) {
  const kept = found.pairs.filter((row) => like(row.concept) || like(row.near));
  const only = found.compared < found.concepts ? ` Only the first ${number(found.compared)} of ${number(found.concepts)} concepts were compared.` : "";
  return [
    el("p", { class: "soft" }, `The ${number(found.pairs.length)} pairs with the most similar text embeddings: the teacher can hardly tell them apart.${only}`),
    table(
      [["concept", (row) => link(row.concept), "words"], ["near", (row) => link(row.near), "words"], ["cosine", (row) => decimal(row.cosine, 4)]],
      kept,
    ),
  ];
}

const link = (name) => el("a", { href: `#concept?${new URLSearchParams({ name })}` }, name);

export async function concept(page, given) {
  const found = await ask("concept", { name: given.name });
  const counts = Array(20).fill(0);
  for (const { bin, regions } of found.histogram) counts[bin] = regions;
  page.append(
    el("h1", {}, given.name),
    el("p", {}, el("a", { href: `#images?${new URLSearchParams({ concept: given.name })}` }, "images with it"), " · ",
      el("a", { href: `#search?${new URLSearchParams({ text: given.name })}` }, "regions most similar to it")),
    el(
      "div",
      { class: "two" },
      el("section", { class: "card" }, el("h2", {}, "Probability"), histogram(counts, "probability")),
      el("section", { class: "card" }, el("h2", {}, "Most similar concepts"),
        table([["concept", (row) => row.concept, "words"], ["cosine", (row) => decimal(row.cosine, 3)]], found.near, (row) => go("concept", { name: row.concept }))),
    ),
    found.among ? el("p", { class: "soft" }, `Examples are from the ${number(found.among)} images of this folder.`) : "",
    el("h2", {}, "Regions of highest probability"), crops(found.surest),
    el("h2", {}, "Kept regions of lowest probability"), crops(found.unsure),
  );
  if (marking) page.append(...(await inBulk(page, given.name)));
}

/** Marks all kept labels of a concept at once. */
async function inBulk(page, name) {
  const { kept, labels } = await ask("concept-labels", { name });
  if (!kept) return [];
  const selected = () => ({ count: kept, of: { of_concept: name } });
  return [
    el("h2", {}, "Mark all of them"),
    el("p", { class: "soft" }, `All ${number(kept)} kept labels of this concept are right, or wrong, or something else.`),
    marking(page, labels, { selected }),
  ];
}

/** Crops of regions, each a link to its image. */
export function crops(rows) {
  if (!rows.length) return el("p", { class: "soft" }, "No regions.");
  return el("div", { class: "crops" }, rows.map((row) =>
    el(
      "a",
      { href: `#image?${new URLSearchParams({ id: row.image_id })}`, title: `${row.image_id}, region ${row.region}` },
      crop(row),
      `${row.concept ?? ""} ${decimal(row.score ?? row.probability)}`,
    )));
}
