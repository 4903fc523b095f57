// A photograph with boxes drawn over it.

import { picture } from "./data.js";
import { decimal, el, svg } from "./dom.js";

const CROWD = 12; // boxes from which only those under the pointer are thick, and so many names shown

/**
 * A photograph and an empty layer for boxes.
 * @param {{image_id: string, width: number, height: number, captions: string[]}} found
 * @param {{labels: string}=} set the images that it belongs to
 */
export function stage(found, set = {}) {
  const layer = svg("svg", { viewBox: `0 0 ${found.width} ${found.height}`, preserveAspectRatio: "none" });
  layer.addEventListener("pointermove", (event) => markUnder(layer, found, event));
  layer.addEventListener("pointerleave", () => markUnder(layer, found, null));
  const photograph = el("img", {
    src: picture("full", { id: found.image_id, ...set }), alt: found.captions[0] ?? found.image_id,
    width: found.width, height: found.height,
  });
  return { layer, element: el("div", { class: "stage" }, photograph, layer) };
}

/**
 * Put boxes on a layer, the large ones below. A name that would cover the name of a box with a
 * higher score is visible only while its box is highlighted. Many boxes are thin, except those
 * under the pointer and the one that was clicked.
 * @param {{x0: number, y0: number, x1: number, y1: number, name: string, score: number?,
 *          key: string, kind: string, quiet: boolean?}[]} boxes the name of a quiet box is hidden until it is highlighted
 */
export function drawBoxes(layer, found, boxes) {
  const unit = found.width / (layer.clientWidth || 640); // of a pixel on the screen
  const area = (row) => (row.x1 - row.x0) * (row.y1 - row.y0);
  const taken = [];
  const placed = [...boxes].sort((a, b) => (b.score ?? 1) - (a.score ?? 1)).map((row) => {
    const said = `${row.name} ${decimal(row.score)}`.trim();
    const wide = (7 * said.length + 6) * unit;
    const place = { x: Math.max(0, Math.min(row.x0 + 3 * unit, found.width - wide)), y: Math.max(0, row.y0) + 13 * unit, wide };
    const free = !row.quiet && taken.length < CROWD && !taken.some((one) =>
      Math.abs(one.y - place.y) < 14 * unit && place.x < one.x + one.wide && one.x < place.x + wide);
    if (free) taken.push(place);
    return { ...row, words: said, place, quiet: !free };
  });
  placed.sort((a, b) => area(b) - area(a));
  layer.classList.toggle("crowded", boxes.length > CROWD);
  layer.classList.remove("choosing");
  layer.replaceChildren(...placed.map(frame), ...placed.map((row) => words(row, unit)));
}

function frame(row) {
  return svg(
    "g",
    { class: row.kind, "data-key": row.key, tabindex: -1 },
    svg("rect", { x: row.x0, y: row.y0, width: row.x1 - row.x0, height: row.y1 - row.y0 }, svg("title", {}, row.words)),
  );
}

function words(row, unit) {
  return svg("text", {
    class: row.quiet ? "quiet" : "", "data-key": row.key, x: row.place.x, y: row.place.y,
    style: `font-size:${12 * unit}px;stroke-width:${3 * unit}px`,
  }, row.words);
}

/** Mark the boxes that hold the pointer, and their names. */
function markUnder(layer, found, event) {
  const shown = layer.getBoundingClientRect();
  const at = event && { x: ((event.clientX - shown.left) / shown.width) * found.width, y: ((event.clientY - shown.top) / shown.height) * found.height };
  const keys = new Set();
  for (const group of layer.querySelectorAll("g")) {
    const [x, y, wide, high] = ["x", "y", "width", "height"].map((name) => Number(group.firstChild.getAttribute(name)));
    const under = at !== null && at.x >= x && at.x <= x + wide && at.y >= y && at.y <= y + high;
    group.classList.toggle("under", under);
    if (under) keys.add(group.dataset.key);
  }
  for (const text of layer.querySelectorAll("text")) text.classList.toggle("under", keys.has(text.dataset.key));
}

/** Keep the box that was clicked highlighted, until another click. */
function choose(root, key) {
  for (const one of root.querySelectorAll("[data-key]")) one.classList.toggle("chosen", one.dataset.key === key && !one.classList.contains("chosen"));
  for (const one of root.querySelectorAll(".stage svg")) one.classList.toggle("choosing", one.querySelector(".chosen") !== null);
  root.querySelector("tr.chosen")?.scrollIntoView({ block: "nearest" });
}

/** Elements with the same key are highlighted together, on hover or focus; a click on a box keeps it so. */
export function lightTogether(root) {
  const light = (event, on) => {
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (key === undefined) return;
    for (const one of root.querySelectorAll("[data-key]")) if (one.dataset.key === key) one.classList.toggle("on", on);
  };
  root.addEventListener("click", (event) => {
    if (event.target.closest(".stage svg")) choose(root, event.target.closest("[data-key]")?.dataset.key);
  });
  for (const name of ["mouseover", "focusin"]) root.addEventListener(name, (event) => light(event, true));
  for (const name of ["mouseout", "focusout"]) root.addEventListener(name, (event) => light(event, false));
}
