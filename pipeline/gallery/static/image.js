// One photograph with its pseudo-labels, ground truth and detections.

import { ask } from "./data.js";
import { decimal, el, table } from "./dom.js";
import { filtersOf, ofSet } from "./images.js";
import { go } from "./route.js";
import { compare } from "./sides.js";
import { drawBoxes, lightTogether, stage } from "./stage.js";

export async function image(page, given) {
  const answer = await ask("image", { id: given.id, ...ofSet(given) });
  if (!answer.image) throw new Error(`there is no image ${given.id}`);
  const sides = answer.sides ?? [];
  page.append(el("div", { class: "title" }, el("h1", {}, given.id), neighbours(page, given)));
  if (sides.length > 1) page.append(chooser(sides, given));
  if (given.left && given.right) await compare(page, answer.image, given);
  else single(page, answer, given);
  page.append(...answer.image.captions.map((caption) => el("p", { class: "soft" }, caption)));
}

/** Links to the previous and next image of the filtered list; also by arrow keys. */
function neighbours(page, given) {
  const filters = filtersOf(given);
  const kept = given.left && given.right ? { left: given.left, right: given.right } : {};
  const way = (words, key) => el("a", { class: "way", hidden: true, "aria-keyshortcuts": key, title: `${words} image: ${key}` }, words);
  const ways = { ArrowLeft: way("← previous", "ArrowLeft"), ArrowRight: way("next →", "ArrowRight") };
  const find = async (key, edge) => {
    const { images: [other] } = await ask("images", { ...filters, ...edge, limit: 1 });
    if (!other) return;
    ways[key].href = `#image?${new URLSearchParams({ ...filters, id: other.image_id, ...kept })}`;
    ways[key].hidden = false;
  };
  find("ArrowLeft", { before: given.id }).catch(() => {}); // the page also works without these links
  find("ArrowRight", { after: given.id }).catch(() => {});
  const turn = (event) => {
    if (!page.isConnected) removeEventListener("keydown", turn);
    else if (!event.ctrlKey && !event.metaKey && !event.altKey && !event.target.matches("input, select")) ways[event.key]?.click();
  };
  addEventListener("keydown", turn);
  return el("div", { class: "ways", role: "navigation", "aria-label": "images" }, ways.ArrowLeft,
    el("a", { class: "way", href: `#images?${new URLSearchParams(filters)}` }, "all"), ways.ArrowRight);
}

/** The form that selects the two sides of a comparison. */
function chooser(sides, given) {
  const full = ({ of, words }) => (sides.filter((one) => one.words === words).length > 1 ? `${words}: ${of}` : words);
  const side = (name, at) => el("label", {}, name, el("select", { name },
    sides.map((one, n) => el("option", { value: one.of, selected: given[name] ? one.of === given[name] : n === at }, full(one)))));
  const { left, right, ...alone } = given;
  const form = el(
    "form",
    { class: "filters sides", onsubmit: (event) => { event.preventDefault(); go("image", { ...alone, ...Object.fromEntries(new FormData(form)) }); } },
    side("left", 1), side("right", 0),
    el("button", {}, "Side by side"),
    left && right ? el("a", { href: `#image?${new URLSearchParams(alone)}` }, "single picture") : null,
  );
  return form;
}

function single(page, { image: found, regions, detections }, given) {
  const kinds = [
    ["label", "pseudo-labels", regions.filter((row) => row.kept).map((row) => ({ ...row, name: row.concept, score: row.probability, key: `${row.region}` }))],
    ["truth", "ground truth", found.objects.map((row, at) => ({ ...row, name: row.category, key: `truth ${at}` }))],
    ["said", "detections of an evaluation", detections.map((row, at) => ({ ...row, name: row.category, key: `said ${at}` }))],
  ].filter(([, , rows]) => rows.length);
  if (!kinds.length) page.append(el("p", { class: "problem" }, "This image has no box: no pseudo-labels, ground truth or detections."));
  const { layer, element } = stage(found, ofSet(given));
  const shown = { label: true, truth: !regions.length, said: false };
  const least = el("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0.5, "aria-label": "minimum probability", oninput: draw });
  const list = el("div");
  function draw() {
    const enough = (row) => row.score === undefined || row.score >= Number(least.value);
    drawBoxes(layer, found, kinds.filter(([kind]) => shown[kind]).flatMap(([kind, , rows]) => rows.filter(enough).slice(0, 60).map((row) => ({ ...row, kind }))));
    const kept = regions.filter((row) => row.probability >= Number(least.value));
    list.replaceChildren(regionTable(kept.slice(0, 80), given.id));
  }
  const boxes = kinds.map(([kind, words, rows]) =>
    el("label", {}, el("input", { type: "checkbox", checked: shown[kind], onchange: (event) => { shown[kind] = event.target.checked; draw(); } }), ` ${words} (${rows.length})`),
  );
  const look = el("div", { class: "look" }, element, list);
  page.append(el("div", { class: "filters switches" }, ...boxes, el("label", {}, "minimum probability", least)), look);
  lightTogether(look);
  draw();
}

function regionTable(rows, id) {
  const made = table(
    [
      ["concept", (row) => row.concept, "words"],
      ["prob.", (row) => decimal(row.probability)],
      ["cosine", (row) => decimal(row.cosine)],
      ["margin", (row) => decimal(row.margin)],
      ["objectness", (row) => decimal(row.objectness)],
      ["caption", (row) => (row.in_caption === null ? "" : row.in_caption ? "yes" : "no")],
    ],
    rows,
    (row) => go("search", { region: `${id}:${row.region}` }),
  );
  [...made.querySelectorAll("tbody tr")].forEach((line, at) => {
    line.dataset.key = `${rows[at].region}`;
    line.title = "Enter: regions similar to this one";
  });
  return made;
}
