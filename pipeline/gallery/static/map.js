// The map: regions in a plane, to select many by a lasso and mark them at once.

import { ask, askNumbers, crop } from "./data.js";
import { announce, decimal, el, number, svg } from "./dom.js";
import { marking } from "./marking.js";
import { Plane, pixel } from "./plane.js";

const CONCEPTS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#9467bd", "#b8a500", "#8c564b", "#e377c2"];
const RAMP = ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"]; // of numbers, from low to high
const KINDS = { right: "#009e73", wrong: "#d55e00", renamed: "#cc79a7", "wrong-box": "#e69f00", unsure: "#56b4e9" };
const NEAR = 12; // pixels from the pointer to a point
const STEP = 24; // pixels that an arrow moves the circle
const CONDITION = 100; // regions that a condition lists

export async function map(page) {
  const found = await ask("map");
  page.append(el("h1", {}, "Map"));
  if (!found.address) {
    page.append(el("p", {}, "There is no map of these labels yet. Make one with: ", el("code", {}, "rc map-regions")));
    return;
  }
  const given = { map: found.address, labels: found.labels };
  const all = await askNumbers("map-points", given);
  const row = (at) => all.subarray(at * found.regions, (at + 1) * found.regions);
  const [x, y, probability, suspicion, concept] = [0, 1, 2, 3, 4].map(row);
  const canvas = el("canvas", { tabindex: 0, role: "application", "aria-label": "map of regions: arrows move a circle, space selects what is in it, [ and ] change its size, + and - zoom, 0 shows all, escape selects nothing" });
  const [lasso, circle] = [svg("polygon", { hidden: true }), svg("circle", { hidden: true, r: 30 })];
  const box = el("div", { class: "plane" }, canvas, svg("svg", {}, lasso, circle));
  const near = el("div", { class: "near asked" }, el("p", { class: "soft" }, "Point at a region to see it."));
  const chosen = el("div", { class: "selection" });
  const legend = el("div", { class: "legend" });
  const plane = new Plane(canvas, x, y);
  const now = { selected: new Uint8Array(x.length), count: 0, kinds: new Uint8Array(x.length), by: "concept", colours: new Uint32Array(x.length), faint: new Uint8Array(x.length), drawn: false, spot: [0, 0], radius: 30 };

  function draw() {
    if (now.drawn) return;
    now.drawn = true;
    requestAnimationFrame(() => {
      now.drawn = false;
      if (page.isConnected) plane.draw(now.colours, now.faint, now.others);
    });
  }
  function paint() {
    const style = getComputedStyle(canvas);
    const [card, ink, soft] = ["--card", "--ink", "--soft"].map((name) => style.getPropertyValue(name));
    now.others = { background: pixel(card), faint: mixed(card, ink, 0.16) };
    const rest = mixed(card, soft, 0.6);
    const [names, kinds, ramp] = [CONCEPTS.map(pixel), Object.values(KINDS).map(pixel), steps(RAMP)];
    const level = now.by === "suspicion" ? suspicion : probability;
    const colour = {
      concept: (at) => names[concept[at]] ?? rest,
      probability: (at) => ramp[Math.min(255, Math.floor(level[at] * 256))],
      suspicion: (at) => (level[at] >= 0 ? ramp[Math.min(255, Math.floor(level[at] * 256))] : rest),
      marks: (at) => (now.kinds[at] ? kinds[now.kinds[at] - 1] : rest),
    }[now.by];
    for (let at = 0; at < x.length; at++) {
      now.colours[at] = colour(at);
      now.faint[at] = now.count ? 1 - now.selected[at] : now.by !== "marks" && now.kinds[at] > 0 ? 1 : 0;
    }
    draw();
  }
  function select(places, add = false) {
    if (!add) now.selected.fill(0);
    for (const at of places) now.selected[at] = 1;
    now.count = now.selected.reduce((sum, one) => sum + one, 0);
    paint();
    announce(`${number(now.count)} regions selected`);
    showSelection();
  }
  const places = () => { const some = []; now.selected.forEach((one, at) => { if (one) some.push(at); }); return some; };
  async function showSelection() {
    const count = now.count;
    chosen.replaceChildren(el("p", {}, el("b", { class: "count" }, number(count)), ` of ${number(x.length)} regions selected`));
    if (!count) return;
    if (count > CONDITION) {
      chosen.append(el("p", { class: "soft" }, `A condition lists ${CONDITION} regions at most: mark these, and use the reviews.`));
      return;
    }
    const { where } = await ask("map-condition", { ...given, places: places().join(",") }).catch(() => ({ where: null }));
    if (where && count === now.count) chosen.append(el("p", { class: "soft" }, "These alone, on the command line:"), el("code", { tabindex: 0 }, where));
  }
  function named(at) {
    const some = [];
    concept.forEach((one, place) => { if (one === at) some.push(place); });
    return some;
  }
  function explain() {
    if (now.by === "concept") {
      const counts = new Uint32Array(found.concepts.length);
      for (const one of concept) counts[one]++;
      const more = found.concepts.length - CONCEPTS.length;
      legend.replaceChildren(...found.concepts.slice(0, CONCEPTS.length).map((name, at) =>
        el("button", { type: "button", title: `select all of ${name}`, onclick: (event) => select(named(at), event.shiftKey) }, el("i", { style: `background:${CONCEPTS[at]}` }), `${name} ${number(counts[at])}`)),
      more > 0 ? el("span", { class: "soft" }, `grey: ${number(more)} other concepts`) : "");
    } else if (now.by === "marks") {
      legend.replaceChildren(...Object.entries(KINDS).map(([kind, colour]) => el("span", {}, el("i", { style: `background:${colour}` }), kind)));
    } else legend.replaceChildren(el("span", {}, "0"), el("span", { class: "ramp", style: `background:linear-gradient(90deg, ${RAMP.join(", ")})` }), el("span", {}, "1"));
  }
  let looked = -1;
  async function look(at) {
    if (at < 0 || at === looked) return;
    looked = at;
    const region = await ask("map-region", { ...given, place: at }).catch(() => null);
    if (!region || at !== looked) return;
    const alike = concept[at];
    near.replaceChildren(el("h2", {}, region.concept ?? ""), crop(region),
      el("p", {}, `probability ${decimal(region.probability)}`, suspicion[at] >= 0 ? `, suspicion ${decimal(suspicion[at])}` : ""),
      el("p", {}, el("a", { href: `#image?${new URLSearchParams({ id: region.image_id })}` }, `region ${region.region} of ${region.image_id}`)),
      el("p", {}, el("button", { type: "button", onclick: () => select(named(alike)) }, `Select all of ${found.concepts[alike]}`)),
      ...region.captions.slice(0, 2).map((caption) => el("p", { class: "soft" }, caption)));
    near.dataset.place = at;
  }

  const toggle = el("button", { type: "button", "aria-pressed": "false", onclick: () => {
    const on = box.classList.toggle("lassoes");
    toggle.setAttribute("aria-pressed", String(on));
  } }, "Lasso");
  const ways = ["concept", "probability", ...(found.suspicions ? ["suspicion"] : []), "marks"];
  const by = el("select", { name: "by", onchange: () => { now.by = by.value; explain(); paint(); } }, ways.map((way) => el("option", { value: way }, way)));
  const say = (name, title, act) => el("button", { type: "button", "data-view": name, onclick: () => { act(); draw(); } }, title);
  const left = found.left_out ? `; ${number(found.left_out)} of the map are not among these labels` : "";
  page.append(
    el("div", { class: "filters switches" }, toggle, el("label", {}, "colour by", by),
      say("in", "+", () => plane.zoom(1.5)), say("out", "−", () => plane.zoom(1 / 1.5)), say("all", "All", () => plane.fit()),
      el("button", { type: "button", onclick: () => select([]) }, "Select nothing"),
      el("span", { class: "soft" }, `${found.address}: ${number(found.regions)} regions${left}`)),
    el("div", { class: "mapped" }, el("div", {}, box, legend, el("p", { class: "soft" }, "Drag moves, the wheel zooms, Shift and drag selects; with Ctrl besides, it adds. In the map, arrows and space do it by keys.")), el("div", {}, near, chosen)),
    marking(page, found.labels, {
      map: found.address,
      selected: () => ({ count: now.count, of: { map: found.address, places: places() } }),
      marked: () => select([]),
      known: ({ places: marked }) => {
        now.kinds.fill(0);
        Object.keys(KINDS).forEach((kind, at) => { for (const place of marked[kind] ?? []) now.kinds[place] = at + 1; });
        paint();
      },
    }),
  );
  pointing(plane, { box, lasso, circle, draw, select, look });
  keys(plane, { circle, now, draw, select, look });
  const sized = new ResizeObserver(() => {
    if (!page.isConnected) return sized.disconnect();
    plane.resize();
    return paint();
  });
  sized.observe(box);
  const themed = new MutationObserver(() => (page.isConnected ? paint() : themed.disconnect()));
  themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  plane.resize();
  explain();
  showSelection();
  paint();
}

/** Pan, zoom and lasso by the pointer. */
function pointing(plane, { box, lasso, circle, draw, select, look }) {
  const { canvas } = plane;
  let drag = null;
  let waits = 0;
  const spot = ({ offsetX, offsetY }) => [offsetX, offsetY];
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    plane.zoom(Math.exp(-Math.sign(event.deltaY) * Math.min(0.4, Math.abs(event.deltaY) / 300)), ...spot(event));
    draw();
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    circle.setAttribute("hidden", "");
    const lassoes = event.shiftKey || box.classList.contains("lassoes");
    drag = { from: spot(event), path: lassoes ? [spot(event)] : null, moved: false };
  });
  canvas.addEventListener("pointermove", (event) => {
    const [left, top] = spot(event);
    if (!drag) {
      clearTimeout(waits);
      waits = setTimeout(() => look(plane.nearest(left, top, NEAR)), 60);
      return;
    }
    if (drag.path) {
      const [lastLeft, lastTop] = drag.path.at(-1);
      if (Math.hypot(left - lastLeft, top - lastTop) < 3) return;
      drag.path.push([left, top]);
      lasso.setAttribute("points", drag.path.map((place) => place.join(",")).join(" "));
      lasso.removeAttribute("hidden");
    } else {
      plane.pan(left - drag.from[0], top - drag.from[1]);
      drag.from = [left, top];
      draw();
    }
  });
  const end = (event) => {
    if (drag?.path && event.type === "pointerup") {
      if (drag.path.length > 2) select(plane.inPolygon(drag.path), event.ctrlKey || event.metaKey);
    }
    lasso.setAttribute("hidden", "");
    drag = null;
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
}

/** A circle that arrows move, and that selects what is in it. */
function keys(plane, { circle, now, draw, select, look }) {
  const { canvas } = plane;
  function show() {
    const inside = (value, most) => Math.min(most, Math.max(0, value));
    const [left, top] = [inside(now.spot[0], plane.wide), inside(now.spot[1], plane.high)];
    if (left !== now.spot[0] || top !== now.spot[1]) plane.pan(left - now.spot[0], top - now.spot[1]);
    now.spot = [left, top];
    for (const [name, value] of [["cx", left], ["cy", top], ["r", now.radius]]) circle.setAttribute(name, value);
    circle.removeAttribute("hidden");
    look(plane.nearest(left, top, now.radius));
    draw();
  }
  const move = (right, down) => () => { now.spot = [now.spot[0] + right * STEP, now.spot[1] + down * STEP]; };
  const grow = (factor) => () => { now.radius = Math.min(400, Math.max(8, now.radius * factor)); };
  const zoom = (factor) => () => plane.zoom(factor, ...now.spot);
  const acts = {
    ArrowLeft: move(-1, 0), ArrowRight: move(1, 0), ArrowUp: move(0, -1), ArrowDown: move(0, 1),
    "[": grow(1 / 1.4), "]": grow(1.4), "+": zoom(1.5), "=": zoom(1.5), "-": zoom(1 / 1.5), 0: () => plane.fit(),
    " ": () => select(plane.inCircle(...now.spot, now.radius), true), Escape: () => select([]),
  };
  canvas.addEventListener("keydown", (event) => {
    if (!Object.hasOwn(acts, event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (circle.hasAttribute("hidden") && event.key.startsWith("Arrow")) now.spot = [plane.wide / 2, plane.high / 2];
    acts[event.key]();
    show();
  });
  canvas.addEventListener("focus", () => { if (!now.spot[0]) now.spot = [plane.wide / 2, plane.high / 2]; });
  canvas.addEventListener("blur", () => circle.setAttribute("hidden", ""));
}

/** A colour between two. */
function mixed(from, to, share) {
  const [a, b] = [pixel(from), pixel(to)];
  const part = (shift) => Math.round(((a >>> shift) & 255) * (1 - share) + ((b >>> shift) & 255) * share) << shift;
  return ((255 << 24) | part(16) | part(8) | part(0)) >>> 0;
}

/** 256 colours along a ramp. */
function steps(ramp) {
  return Array.from({ length: 256 }, (_, at) => {
    const place = (at / 255) * (ramp.length - 1);
    const low = Math.min(Math.floor(place), ramp.length - 2);
    return mixed(ramp[low], ramp[low + 1], place - low);
  });
}
