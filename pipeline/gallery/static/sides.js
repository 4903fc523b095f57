// Two sides of one photograph, next to each other: a teacher and its student, a model and the
// ground truth, two sets of pseudo-labels.

import { ask } from "./data.js";
import { announce, decimal, el, table } from "./dom.js";
import { ofSet } from "./images.js";
import { drawBoxes, lightTogether, stage } from "./stage.js";

const SAME = 0.5; // IoU from which two boxes count as the same region
const WORDS = { other: "another name", left: "only left", right: "only right", same: "same name" };
const KINDS = { other: "other", left: "lone", right: "lone", same: "same" };

export async function compare(page, found, given) {
  const sides = await Promise.all([given.left, given.right].map((of) => ask("side", { id: found.image_id, of, ...ofSet(given) })));
  const rows = paired(sides[0].boxes, sides[1].boxes).map((row, at) => ({ ...row, key: `${at}` }));
  const highest = (row) => Math.max(row.left?.score ?? 0, row.right?.score ?? 0);
  const enough = rows.some((row) => scored(row) && highest(row) >= 0.5) ? 0.5 : 0;
  const least = el("input", { type: "range", min: 0, max: 1, step: 0.05, value: enough, "aria-label": "minimum score", oninput: draw });
  const only = el("input", { type: "checkbox", onchange: draw });
  const stages = sides.map(() => stage(found, ofSet(given)));
  const list = el("div");
  const count = el("p", { class: "soft" });
  function draw() {
    const kept = rows.filter((row) => (!scored(row) || highest(row) >= Number(least.value)) && !(only.checked && row.state === "same"));
    stages.forEach(({ layer }, at) => drawBoxes(layer, found, boxesOf(kept, at ? "right" : "left")));
    const words = Object.entries(WORDS).map(([state, name]) => `${kept.filter((row) => row.state === state).length} ${name}`);
    count.textContent = words.join(", ");
    list.replaceChildren(differences(kept));
    announce(count.textContent);
  }
  const look = el("div", {},
    el("div", { class: "pair" }, stages.map(({ element }, at) =>
      el("figure", {}, el("figcaption", {}, sides[at].words, " ", given[at ? "right" : "left"] === "truth" ? null : el("code", {}, sides[at].of)), element))),
    count, list);
  page.append(el("div", { class: "filters switches" }, el("label", {}, "minimum score", least), el("label", {}, only, " differences only")), look);
  lightTogether(look);
  draw();
}

/** Whether any side has a score: ground truth has none and is always shown. */
const scored = ({ left, right }) => [left, right].some((one) => one && one.score !== null);

function boxesOf(rows, side) {
  return rows.filter((row) => row[side]).map((row) => ({
    ...row[side], key: row.key, kind: KINDS[row.state], quiet: row.state === "same",
  }));
}

/** Pairs of boxes of the same region, one to one, the greatest IoU first; the rest are unpaired. */
export function paired(left, right) {
  const near = [];
  left.forEach((a, i) => right.forEach((b, j) => {
    const share = overlap(a, b);
    if (share >= SAME) near.push([share, Number(a.name === b.name), i, j]);
  }));
  near.sort((p, q) => q[0] - p[0] || q[1] - p[1] || p[2] - q[2] || p[3] - q[3]);
  const [mine, theirs] = [new Set(), new Set()];
  const rows = [];
  for (const [, , i, j] of near) {
    if (mine.has(i) || theirs.has(j)) continue;
    mine.add(i);
    theirs.add(j);
    rows.push({ left: left[i], right: right[j], state: left[i].name === right[j].name ? "same" : "other" });
  }
  left.forEach((one, i) => mine.has(i) || rows.push({ left: one, right: null, state: "left" }));
  right.forEach((one, j) => theirs.has(j) || rows.push({ left: null, right: one, state: "right" }));
  return rows;
}

function overlap(a, b) {
  const wide = Math.min(a.x1, b.x1) - Math.max(a.x0, b.x0);
  const high = Math.min(a.y1, b.y1) - Math.max(a.y0, b.y0);
  if (wide <= 0 || high <= 0) return 0;
  const area = (one) => (one.x1 - one.x0) * (one.y1 - one.y0);
  return (wide * high) / (area(a) + area(b) - wide * high);
}

function differences(rows) {
  const order = Object.keys(WORDS);
  const score = (row) => row.left?.score ?? row.right?.score ?? 0;
  const sorted = [...rows].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || score(b) - score(a)).slice(0, 200);
  const made = table(
    [
      ["left", (row) => row.left?.name ?? "", "words"], ["", (row) => decimal(row.left?.score)],
      ["right", (row) => row.right?.name ?? "", "words"], ["", (row) => decimal(row.right?.score)],
      ["", (row) => WORDS[row.state], "words"],
    ],
    sorted,
  );
  [...made.querySelectorAll("tbody tr")].forEach((line, at) => {
    line.dataset.key = sorted[at].key;
    line.tabIndex = 0;
    line.classList.add(KINDS[sorted[at].state]);
  });
  return made;
}
