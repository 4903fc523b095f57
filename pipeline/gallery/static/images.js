// Photographs, filtered, in a list without end.

import { ask, picture } from "./data.js";
import { announce, el, number, svg } from "./dom.js";
import { go, here } from "./route.js";

const FILTERS = ["of", "text", "concept", "probability", "margin", "split"];

/** The filters of images among the parameters of a page. */
export function filtersOf(given) {
  return Object.fromEntries(FILTERS.filter((name) => given[name]).map((name) => [name, given[name]]));
}

/** The set of images that an id belongs to, if the page names one: two sets may use the same ids. */
export const ofSet = ({ of }) => (of ? { labels: of } : {});

export async function images(page, given) {
  const filters = filtersOf(given);
  page.append(el("h1", {}, "Images"));
  const place = el("div");
  const list = el("div", { class: "list", onkeydown: byArrows });
  const foot = el("p");
  page.append(place, list, foot);
  const grids = drawnWhenNear();
  let after = given.after ?? "";
  let busy = false;
  let more = true;
  async function next() {
    if (busy || !more) return;
    busy = true;
    try {
      const found = await ask("images", { ...filters, after });
      if (!place.childElementCount) place.append(form(filters, found), found.note ? el("p", { class: "problem" }, found.note) : "", ...beginning(filters, given));
      if (found.images.length) list.append(grids.grid(found.images, filters, after));
      after = found.images.at(-1)?.image_id ?? after;
      more = found.more;
      announce(`${list.childElementCount} pages of images`);
    } finally {
      busy = false;
    }
    foot.replaceChildren(...ending(list, more, next));
  }
  try {
    await next();
  } catch (error) {
    place.append(form(filters, {}));
    throw error;
  }
  const end = new IntersectionObserver(async (seen) => {
    if (!page.isConnected) end.disconnect();
    if (!more || !seen.some((one) => one.isIntersecting)) return;
    await next().catch((error) => foot.append(el("span", { class: "problem" }, error.message)));
    end.unobserve(foot); // observe again: it may still be near
    end.observe(foot);
  }, { rootMargin: "900px" });
  end.observe(foot);
}

function form(filters, { splits = [], artifacts = [] }) {
  const made = el(
    "form",
    { class: "filters", onsubmit: (event) => { event.preventDefault(); go("images", filtersOf(Object.fromEntries(new FormData(made)))); } },
    field("caption contains", "text", filters),
    field("concept", "concept", filters),
    field("minimum probability", "probability", filters, { inputmode: "decimal", size: 6 }),
    field("minimum margin", "margin", filters, { inputmode: "decimal", size: 6 }),
    splits.length || filters.split ? choice("split", "split", splits.map((name) => [name, name]), filters) : null,
    artifacts.length > 1 ? choice("images", "of", artifacts.map(({ address, rows }) => [address, `${address} (${number(rows)})`]), filters, "those with pseudo-labels") : null,
    el("button", {}, "Show"),
    Object.keys(filters).length ? el("a", { href: "#images" }, "all images") : null,
  );
  return made;
}

function field(words, name, given, properties = {}) {
  return el("label", {}, words, el("input", { name, value: given[name] ?? "", ...properties }));
}

function choice(words, name, options, given, none = "all") {
  const all = [["", none], ...options];
  if (given[name] && !all.some(([value]) => value === given[name])) all.push([given[name], given[name]]);
  return el("label", {}, words, el("select", { name },
    all.map(([value, text]) => el("option", { value, selected: value === (given[name] ?? "") }, text))));
}

function beginning(filters, given) {
  if (!given.after) return [];
  return [el("p", { class: "soft" }, `After ${given.after}. `, el("a", { href: `#images?${new URLSearchParams(filters)}` }, "From the beginning"))];
}

function ending(list, more, next) {
  if (more) return [el("button", { type: "button", onclick: next }, "More")];
  return [el("span", { class: "soft" }, list.childElementCount ? "End of the list." : "No image matches.")];
}

/** Grids that hold cards only while they are near the viewport, so that the page stays small. */
function drawnWhenNear() {
  const known = new Map();
  const watch = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting, boundingClientRect } of seen) {
      const away = !isIntersecting && !target.contains(document.activeElement);
      if (isIntersecting && !target.childElementCount) {
        target.style.height = "";
        target.append(...known.get(target)());
      } else if (away && target.childElementCount) {
        target.style.height = `${boundingClientRect.height}px`;
        for (const one of target.querySelectorAll("img")) one.removeAttribute("src"); // otherwise it would still be fetched
        target.replaceChildren();
      }
    }
  }, { rootMargin: "1800px" });
  return {
    grid(rows, filters, after) {
      const kept = rows.map(({ image_id, width, height, captions, boxes }) => ({ image_id, width, height, boxes, words: captions[0] ?? image_id }));
      const cards = () => kept.map((row) => card(row, filters, after));
      const made = el("div", { class: "grid" }, cards());
      known.set(made, cards);
      watch.observe(made);
      return made;
    },
  };
}

function card({ image_id, words, ...row }, filters, after) {
  return el(
    "a",
    { href: `#image?${new URLSearchParams({ ...filters, id: image_id })}`, title: image_id, onclick: () => remember(filters, after) },
    el("div", { class: "thumb" },
      el("img", { src: picture("thumb", { id: image_id, ...ofSet(filters) }), alt: words, loading: "lazy", decoding: "async" }),
      row.boxes ? marks(row) : null),
    el("span", {}, words),
  );
}

/** The boxes that passed the filters, over a picture that is cut to the shape of its card. */
function marks({ width, height, boxes }) {
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "xMidYMid slice", "aria-hidden": "true" },
    boxes.map(([x0, y0, x1, y1]) => svg("rect", { x: x0, y: y0, width: x1 - x0, height: y1 - y0 })));
}

/** So that going back shows the same page of images. */
function remember(filters, after) {
  if (here()[0] === "images" && after) history.replaceState(null, "", `#images?${new URLSearchParams({ ...filters, after })}`);
}

function byArrows(event) {
  const cards = [...event.currentTarget.querySelectorAll(".grid > a")];
  const at = cards.indexOf(document.activeElement);
  if (at < 0) return;
  const across = getComputedStyle(cards[at].parentElement).gridTemplateColumns.split(" ").length;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key];
  if (!step) return;
  event.preventDefault();
  cards[at + step]?.focus();
}
