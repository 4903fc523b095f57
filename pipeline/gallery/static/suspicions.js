// The wrong ones first: pseudo-labels by how suspicious each is, with the reasons in words.

import { ask, crop } from "./data.js";
import { announce, decimal, el, number } from "./dom.js";
import { go } from "./route.js";
import { drawBoxes, stage } from "./stage.js";

const FAULTS = { swapped: "it may be another concept", misplaced: "the box may hold no single thing", overlooked: "it is not kept, and perhaps should be" };
const REASONS = {
  low_probability: "the teacher is less sure than of most labels", probable: "it is more probable than most labels",
  low_margin: "another concept is nearly as probable", clear: "no other concept is nearly as probable",
  high_entropy: "many concepts are probable", certain: "few concepts are probable",
  not_mentioned: "no caption mentions it", mentioned: "a caption mentions it",
  neighbours_differ: "similar regions are called otherwise", neighbours_agree: "similar regions are called the same",
  neighbours_unmentioned: "captions of similar regions do not mention it", neighbours_mentioned: "captions of similar regions mention it",
  others_disagree: "the other labels call it otherwise", others_agree: "the other labels agree",
  overlaps_differ: "boxes on the same place are called otherwise", overlaps_agree: "boxes on the same place are called the same",
  attracts: "captions seldom mention this concept where it is given", attracts_few: "captions mostly mention this concept where it is given",
  low_objectness: "the localizer sees no object there", object_like: "the localizer sees an object there",
  odd_box: "the box is unlike others of the concept", usual_box: "the box is like others of the concept",
  nested: "it is inside or around a more probable box of the same concept", alone: "no other box of the concept is inside or around it",
  unmet: "a caption mentions this, and no region has it",
};
const PAGE = 60; // cards that are added at a time

export async function suspicions(page, given) {
  const found = await ask("suspicions", { fault: given.fault });
  page.append(el("h1", {}, "Suspicions"));
  if (!found.address) {
    page.append(el("p", {}, "Nothing was scored yet. Score the labels with: ", el("code", {}, "rc suspect")));
    return;
  }
  const place = el("div");
  const list = el("div", { class: "grid suspects", role: "list" });
  const more = el("button", { type: "button" }, "More");
  page.append(filter(found, given), place, list, el("p", {}, more));
  if (!found.regions.length) { place.append(el("p", { class: "soft" }, "There is no such label.")); more.hidden = true; return; }
  let at = -1;
  const show = (next) => {
    if (!found.regions[next]) return;
    while (list.childElementCount <= next) add();
    list.children[at]?.removeAttribute("aria-current");
    at = next;
    list.children[at].setAttribute("aria-current", "true");
    look(place, found, found.regions[at], at);
  };
  const add = () => {
    const from = list.childElementCount;
    list.append(...found.regions.slice(from, from + PAGE).map((row, offset) => card(row, () => { show(from + offset); place.scrollIntoView({ block: "nearest" }); })));
    more.hidden = list.childElementCount >= found.regions.length;
  };
  more.addEventListener("click", add);
  const press = (event) => {
    if (!page.isConnected) removeEventListener("keydown", press);
    else if (!event.ctrlKey && !event.metaKey && !event.altKey && !event.target.matches("input, select") && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      event.preventDefault();
      show(at + (event.key === "ArrowRight" ? 1 : -1));
    }
  };
  addEventListener("keydown", press);
  add();
  show(0);
}

function filter({ counts, address }, given) {
  const chosen = el("select", { name: "fault", onchange: () => go("suspicions", chosen.value ? { fault: chosen.value } : {}) },
    el("option", { value: "" }, "all"),
    Object.keys(FAULTS).map((fault) => el("option", { value: fault, selected: fault === given.fault }, `${fault} (${number(counts[fault])})`)));
  return el("div", { class: "filters" }, el("label", {}, "fault", chosen), el("span", { class: "soft" }, `${address}; the most suspicious of each; ← → for the next`));
}

function card(row, act) {
  return el("button", { type: "button", class: "suspect", onclick: act, role: "listitem", title: `region ${row.region} of ${row.image_id}` },
    crop(row),
    el("span", {}, `${decimal(row.suspicion)} ${row.concept}`));
}

/** One label: in its image, cut out, and in words. */
function look(place, { images, labels, regions }, row, at) {
  const found = images[row.image_id] ?? { image_id: row.image_id, width: 1, height: 1, captions: [] };
  const { layer, element } = stage(found, { labels });
  const near = el("div", { class: "asked" },
    el("h2", {}, row.concept),
    crop(row),
    el("p", {}, `${row.fault}, ${decimal(row.suspicion)}: ${FAULTS[row.fault]}`),
    el("ul", { class: "reasons" }, row.reasons.map((reason) => el("li", {}, REASONS[reason] ?? reason))),
    row.instead ? el("p", {}, `perhaps: ${row.instead}`) : null,
    el("p", { class: "soft" }, `${number(at + 1)} of ${number(regions.length)}: `,
      el("a", { href: `#image?${new URLSearchParams({ id: row.image_id })}` }, `region ${row.region} of ${row.image_id}`)),
    found.captions.map((caption) => el("p", {}, caption)));
  place.replaceChildren(el("div", { class: "look" }, element, near));
  drawBoxes(layer, found, [{ ...row, name: "", key: "asked", kind: "asked" }]);
  announce(`${row.concept}, ${row.fault}, ${at + 1} of ${regions.length}`);
}
