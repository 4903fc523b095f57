// What thresholds would keep; nothing is written.

import { ask, STEP } from "./data.js";
import { announce, el, number, percent } from "./dom.js";

const NAMES = ["probability", "margin", "objectness"];

export async function whatIf(page) {
  const result = el("div", { class: "tiles" });
  const clause = el("code");
  const sliders = NAMES.map((name) => {
    const value = el("output", {}, "0");
    const input = el("input", { type: "range", min: 0, max: 1 - STEP, step: STEP, value: 0, name, "aria-label": `minimum ${name}`, oninput: () => { value.textContent = input.value; later(); } });
    return [input, el("div", { class: "slider" }, el("span", {}, name), input, value)];
  });
  page.append(
    el("h1", {}, "What if"),
    el("p", { class: "soft" }, "Move a threshold to see what it would keep. Nothing is changed."),
    ...sliders.map(([, row]) => row),
    el("h2", {}, "Would be kept"),
    result,
    el("h2", {}, "The condition"),
    el("p", {}, "rc select NAME --where \"", clause, "\""),
    el("button", { type: "button", onclick: () => navigator.clipboard?.writeText(clause.textContent).then(() => announce("copied")) }, "Copy"),
  );
  let waiting = 0;
  const later = () => { clearTimeout(waiting); waiting = setTimeout(show, 150); };
  async function show() {
    const given = Object.fromEntries(sliders.map(([input]) => [input.name, Number(input.value) ? input.value : ""]));
    const row = await ask("what-if", given);
    const tiles = [
      [number(row.labels), `labels, ${percent(row.share)}`], [number(row.images), "images"], [number(row.concepts), "concepts"],
      [percent(row.in_caption), "in a caption"], [percent(row.precision), "precision of labels on objects"], [percent(row.recall), "recall of objects"],
    ];
    result.replaceChildren(...tiles.filter(([value]) => value !== "").map(([value, words]) => el("div", { class: "card" }, el("b", {}, value), words)));
    clause.textContent = row.where;
    announce(`${row.labels} labels`);
  }
  await show();
}
