// Audits: pseudo-labels drawn at random, to be judged one after the other.

import { ask, picture } from "./data.js";
import { announce, el, number, percent, table } from "./dom.js";
import { sender } from "./judgements.js";
import { renaming } from "./renaming.js";
import { go } from "./route.js";
import { drawBoxes, stage } from "./stage.js";

const VERDICTS = [
  ["right", "Right", "r", "j"], ["wrong", "Wrong", "w", "k"], ["wrong-box", "Wrong box", "b"], ["unsure", "Unsure", "u"],
];
const ARROWS = { ArrowLeft: "←", ArrowRight: "→" };
const REVIEWER = "reviewer"; // key in the storage of the browser
const AHEAD = 3; // regions whose pictures are fetched before they are shown

export async function audit(page, given) {
  if (given.name) await judge(page, given.name);
  else await list(page);
}

async function list(page) {
  const found = await ask("audits");
  page.append(el("h1", {}, "Audit"));
  if (!found.length) {
    page.append(el("p", {}, "There is no audit yet. Draw labels to judge with: ", el("code", {}, "rc audit draw NAME")));
    return;
  }
  page.append(
    el("p", { class: "soft" }, "Judge a sample of pseudo-labels, and know how right all of them are. Choose one:"),
    table(
      [
        ["audit", (row) => el("a", { href: `#audit?${new URLSearchParams({ name: row.name })}` }, row.name)],
        ["judged", (row) => (row.progress ? `${number(row.progress.judged)} of ${number(row.progress.drawn)}` : "")],
        ["precision", (row) => (row.progress ? share(row.progress.precision) : row.problem), "words"],
        ["artifact", (row) => el("code", {}, row.address), "words"],
      ],
      found,
      (row) => go("audit", { name: row.name }),
    ),
  );
}

/** A share with its interval. */
function share({ share, low, high }) {
  return share === null ? "not known yet" : `${percent(share)}, between ${percent(low)} and ${percent(high)}`;
}

async function judge(page, name) {
  const reviewer = localStorage.getItem(REVIEWER) ?? "";
  const found = await ask("audit", { name, reviewer });
  const view = parts(found, reviewer);
  page.append(el("h1", {}, `Audit ${found.name}`), view.head, view.problem, view.refusal, view.place, view.buttons, view.form);
  const now = { reviewer, at: 0, verdicts: new Map(), done: [] };
  const heard = ({ progress, verdicts }, who) => {
    if (who === now.reviewer) now.verdicts = new Map([...Object.entries(verdicts).map(([at, verdict]) => [Number(at), verdict]), ...now.waiting]);
    view.show(progress, [...found.regions.keys()].filter(open(now)).length);
  };
  now.waiting = new Map();
  const send = sender("judgements", found.name, {
    told: (answer, { reviewer }) => heard(answer, reviewer),
    waits: (count, why) => { if (!count) now.waiting.clear(); view.saved(count, why); },
    refused: (why) => view.refused(why),
  });
  heard(found, reviewer);

  function show(at) {
    if (!found.regions[at]) return;
    now.at = at;
    region(view, found, at, now.verdicts.get(at));
    for (const next of ahead(found.regions, now, at)) prefetch(found, next);
  }
  function tell(verdict, concept = null) {
    const at = now.at;
    now.done.push([at, now.verdicts.get(at)]);
    put(at, verdict, concept);
    const [next] = ahead(found.regions, now, at);
    show(next ?? at);
  }
  function put(at, verdict, concept = null) {
    const { image_id, region, concept_id } = found.regions[at];
    now.verdicts.set(at, verdict === "undo" ? undefined : verdict);
    now.waiting.set(at, now.verdicts.get(at));
    send({ image_id, region, concept_id, verdict, concept, reviewer: now.reviewer });
  }
  function undo() {
    const last = now.done.pop();
    if (!last) return view.refused("There is nothing to undo since this page was opened; go back and judge again.");
    put(last[0], last[1] ?? "undo");
    show(last[0]);
    return announce("undone");
  }
  const acts = Object.fromEntries(VERDICTS.flatMap(([verdict, , ...keys]) => keys.map((key) => [key, () => tell(verdict)])));
  Object.assign(acts, { z: undo, n: () => view.rename(), ArrowRight: () => show(now.at + 1), ArrowLeft: () => show(now.at - 1) });
  view.hear(acts, (concept) => tell("wrong", concept), async (who) => {
    localStorage.setItem(REVIEWER, who);
    Object.assign(now, { reviewer: who, done: [], waiting: new Map() });
    heard(await ask("audit", { name, reviewer: who }), who);
    show(first(found.regions, now));
  });
  const press = (event) => {
    if (!page.isConnected) removeEventListener("keydown", press);
    else if (!event.ctrlKey && !event.metaKey && !event.altKey && !event.target.matches("input, select") && Object.hasOwn(acts, event.key)) {
      event.preventDefault();
      if (!event.repeat || event.key.startsWith("Arrow")) acts[event.key]();
    }
  };
  addEventListener("keydown", press);
  if (found.problem) view.refused(found.problem);
  show(first(found.regions, now));
}

const open = (now) => (at) => now.verdicts.get(at) === undefined;

function first(regions, now) {
  const at = [...regions.keys()].find(open(now));
  return at ?? 0;
}

/** The next regions that this reviewer has not judged: after a place, then from the beginning. */
function ahead(regions, now, at) {
  const places = [...regions.keys()];
  return [...places.slice(at + 1), ...places.slice(0, at)].filter(open(now)).slice(0, AHEAD);
}

function prefetch({ regions, labels }, at) {
  const row = regions[at];
  new Image().src = picture("full", { id: row.image_id, labels });
  new Image().src = cropOf(row, labels);
}

function cropOf({ image_id, x0, y0, x1, y1 }, labels) {
  return picture("crop", { id: image_id, box: [x0, y0, x1, y1].join(","), labels });
}

/** One region: in its image, and cut out. */
function region(view, { regions, images, labels }, at, verdict) {
  const row = regions[at];
  const found = images[row.image_id] ?? { image_id: row.image_id, width: 1, height: 1, captions: [] };
  const { layer, element } = stage(found, { labels });
  const near = el("div", { class: "asked" },
    el("h2", {}, row.concept),
    el("img", { src: cropOf(row, labels), alt: "the box" }),
    el("p", { class: "soft" }, `${number(at + 1)} of ${number(regions.length)}: region ${row.region} of ${row.image_id}`),
    found.captions.map((caption) => el("p", {}, caption)));
  view.place.replaceChildren(el("div", { class: "look" }, element, near));
  drawBoxes(layer, found, [{ ...row, name: "", key: "asked", kind: "asked" }]);
  view.mark(verdict);
  announce(`${row.concept}, ${at + 1} of ${regions.length}`);
}

/** What stays on the page while regions change. */
function parts(found, reviewer) {
  const name = el("input", { value: reviewer, maxlength: 100, size: 14, autocomplete: "off" });
  const bar = el("progress", { max: found.regions.length, value: 0, "aria-label": "judged" });
  const words = el("span", { class: "progress" });
  const saved = el("span", { class: "soft saved" });
  const head = el("div", { class: "filters switches" }, el("label", {}, "your name", name), bar, words, saved);
  const button = (key, title, keys, act) =>
    el("button", { type: "button", "data-act": key, "aria-keyshortcuts": keys.join(" "), onclick: act }, title, el("kbd", {}, ARROWS[keys[0]] ?? keys[0]));
  const acts = {};
  const run = (key) => () => acts[key]?.();
  const verdicts = VERDICTS.map(([verdict, title, ...keys]) => button(verdict, title, keys, run(keys[0])));
  const buttons = el("div", { class: "verdicts", role: "group", "aria-label": "verdict" }, verdicts,
    button("rename", "It is …", ["n"], run("n")), button("undo", "Undo", ["z"], run("z")),
    button("back", "Back", ["ArrowLeft"], run("ArrowLeft")), button("skip", "Skip", ["ArrowRight"], run("ArrowRight")));
  const problem = el("p", { class: "problem", role: "alert" });
  const refusal = el("p", { class: "problem", role: "alert" });
  const { form, rename, hearName } = renaming(found.labels, refusal);
  return {
    head, problem, refusal, buttons, form, rename, place: el("div"),
    show({ drawn, judged, open: unsure, precision }, left) {
      bar.value = judged;
      const yours = left ? `${number(left)} left for you` : "nothing left for you";
      words.textContent = `${number(judged)} of ${number(drawn)} judged${unsure ? `, ${number(unsure)} open` : ""}, ${yours}; precision: ${share(precision)}`;
    },
    saved(count, why) {
      saved.textContent = why ? "" : count ? `${count} to save` : "all saved";
      problem.textContent = why ? `${count} judgements are not saved yet: ${why}. Trying again.` : "";
    },
    refused(why) { refusal.textContent = why; },
    mark(verdict) { for (const one of verdicts) one.setAttribute("aria-pressed", one.dataset.act === verdict); },
    hear(all, renamed, renewed) {
      Object.assign(acts, all);
      hearName(renamed);
      name.addEventListener("change", () => renewed(name.value.trim()).catch((error) => { refusal.textContent = error.message; }));
    },
  };
}
