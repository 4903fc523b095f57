// Photographs, and one of them with everything that is said about it.

import { ask, picture } from "./data.js";
import { announce, el, number, svg, table } from "./dom.js";
import { go } from "./route.js";

export async function images(page, given) {
  const form = el(
    "form",
    { class: "filters", onsubmit: (event) => { event.preventDefault(); go("images", filters(form)); } },
    field("caption says", "text", given),
    field("concept", "concept", given),
    field("probability from", "probability", given, { type: "number", min: 0, max: 1, step: 0.05 }),
    field("split", "split", given),
    el("button", {}, "Show"),
  );
  const grid = el("div", { class: "grid" });
  const more = el("button", { type: "button", onclick: () => next() }, "More");
  const foot = el("p", {}, more);
  page.append(el("h1", {}, "Images"), form, grid, foot);
  let after = "";
  let busy = false;
  async function next() {
    if (busy) return;
    busy = true;
    const found = await ask("images", { ...given, after });
    grid.append(...found.images.map(card));
    after = found.images.at(-1)?.image_id ?? after;
    more.hidden = !found.more;
    if (!grid.childElementCount) foot.replaceChildren(el("span", { class: "soft" }, "No image is like that."));
    announce(`${grid.childElementCount} images`);
    busy = false;
  }
  await next();
  new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && !more.hidden && next(), {
    rootMargin: "600px",
  }).observe(foot);
}

function field(words, name, given, properties = {}) {
  return el("label", {}, words, el("input", { name, value: given[name] ?? "", ...properties }));
}

const filters = (form) => Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));

function card(row) {
  return el(
    "a",
    { href: `#image?${new URLSearchParams({ id: row.image_id })}` },
    el("img", { src: picture("thumb", { id: row.image_id }), alt: row.captions[0] ?? row.image_id, loading: "lazy", decoding: "async" }),
    el("span", {}, row.captions[0] ?? row.image_id),
  );
}

export async function image(page, given) {
  const { image: found, regions, detections } = await ask("image", { id: given.id });
  if (!found) throw new Error(`there is no image ${given.id}`);
  const kinds = [
    ["label", "pseudo-labels", regions.filter((row) => row.kept).map((row) => ({ ...row, name: row.concept, score: row.probability }))],
    ["truth", "ground truth", found.objects.map((row) => ({ ...row, name: row.category }))],
    ["said", "an evaluation's detections", detections.map((row) => ({ ...row, name: row.category }))],
  ].filter(([, , rows]) => rows.length);
  const layer = svg("svg", { viewBox: `0 0 ${found.width} ${found.height}`, preserveAspectRatio: "none" });
  const shown = { label: true, truth: !regions.length, said: false };
  const least = el("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0.5, "aria-label": "least probability", oninput: draw });
  const list = el("div");
  function draw() {
    layer.replaceChildren();
    for (const [kind, , rows] of kinds) {
      if (!shown[kind]) continue;
      const kept = rows.filter((row) => row.score === undefined || row.score >= Number(least.value)).slice(0, 60);
      layer.append(...kept.map((row) => box(row, kind, found)));
    }
    const kept = regions.filter((row) => row.probability >= Number(least.value));
    list.replaceChildren(regionTable(kept.slice(0, 80), layer, given.id));
  }
  const boxes = kinds.map(([kind, words, rows]) =>
    el("label", {}, el("input", { type: "checkbox", checked: shown[kind], onchange: (event) => { shown[kind] = event.target.checked; draw(); } }), ` ${words} (${rows.length})`),
  );
  page.append(
    el("h1", {}, given.id),
    el("div", { class: "filters switches" }, ...boxes, el("label", {}, "probability from", least)),
    el(
      "div",
      { class: "look" },
      el("div", {}, el("div", { class: "stage" }, el("img", { src: picture("full", { id: given.id }), alt: found.captions[0] ?? given.id }), layer),
        ...found.captions.map((caption) => el("p", { class: "soft" }, caption))),
      list,
    ),
  );
  draw();
}

function box(row, kind, { width }) {
  const unit = width / 640;
  return svg(
    "g",
    { class: kind, "data-key": `${row.region ?? ""}` },
    svg("rect", { x: row.x0, y: row.y0, width: row.x1 - row.x0, height: row.y1 - row.y0 }, svg("title", {}, row.name)),
    svg("text", { x: row.x0 + 3 * unit, y: row.y0 + 13 * unit, style: `font-size:${12 * unit}px;stroke-width:${3 * unit}px` },
      row.score === undefined ? row.name : `${row.name} ${number(row.score)}`),
  );
}

function regionTable(rows, layer, id) {
  const made = table(
    [
      ["concept", (row) => row.concept, "words"],
      ["prob.", (row) => number(row.probability)],
      ["cosine", (row) => number(row.cosine)],
      ["margin", (row) => number(row.margin)],
      ["objectness", (row) => number(row.objectness)],
      ["caption", (row) => (row.in_caption === null ? "" : row.in_caption ? "yes" : "no")],
    ],
    rows,
    (row) => go("search", { region: `${id}:${row.region}` }),
  );
  [...made.querySelectorAll("tbody tr")].forEach((line, at) => {
    const light = (on) => {
      line.classList.toggle("on", on);
      for (const one of layer.querySelectorAll(".label")) {
        if (one.dataset.key === String(rows[at].region)) one.classList.toggle("on", on);
      }
    };
    for (const event of ["mouseenter", "focus"]) line.addEventListener(event, () => light(true));
    for (const event of ["mouseleave", "blur"]) line.addEventListener(event, () => light(false));
    line.title = "Enter: regions like this one";
  });
  return made;
}
