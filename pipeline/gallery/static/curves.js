// Training curves and evaluations of models.

import { lineChart } from "./charts.js";
import { ask } from "./data.js";
import { decimal, el, number, percent, table } from "./dom.js";

const SHORT = 10; // points: fewer get an explanation
const AXES = new Set(["step", "images", "learning_rate"]);

export async function training(page) {
  const [models, judged] = await Promise.all([ask("training"), ask("evaluations")]);
  page.append(el("h1", {}, "Training"));
  if (!models.length) page.append(el("p", { class: "soft" }, "No model of this store was trained for more than a step."));
  for (const { artifact, rows, log_every: every } of models) {
    const names = Object.keys(rows[0]).filter((name) => !AXES.has(name) && rows.some((row) => row[name] !== null));
    const losses = names.filter((name) => !["regions", "accuracy", "foreground", "logit_scale"].includes(name));
    const others = names.filter((name) => !losses.includes(name) && name !== "regions");
    const lines = (some) => some.map((name) => ({ name, points: rows.map((row) => [row.step, row[name]]) }));
    const scores = judged.filter((one) => one.model === artifact);
    page.append(
      el("h2", {}, el("code", {}, artifact)),
      scores.length ? summary(scores) : "",
      every && rows.length < SHORT ? el("p", { class: "soft" }, `The curve is short: the run took ${number(rows.at(-1).step)} steps, and a point is the mean of ${number(every)} (--log-every).`) : "",
      el("div", { class: "two" },
        el("div", { class: "card" }, lineChart(lines(losses), { x: "step", y: "loss" })),
        others.length ? el("div", { class: "card" }, lineChart(lines(others), { x: "step", y: "share" })) : null),
    );
  }
}

export async function evaluation(page) {
  const found = await ask("evaluations");
  page.append(el("h1", {}, "Evaluation"));
  if (!found.length) page.append(el("p", { class: "soft" }, "Nothing was evaluated yet."));
  else page.append(summary(found));
  for (const one of found) page.append(folded(one, one === found[0]));
}

/** Main metrics, one row per evaluation. */
function summary(found) {
  const value = (one, metric, split) => one.metrics.find((row) => row.metric === metric && row.split === split)?.value;
  const columns = [["top1", "all"], ["top1", "novel"], ["AP50", "all"], ["AP50", "novel"], ["AP50", "base"]];
  return table(
    [
      ["model", (one) => el("code", {}, one.model)],
      ["boxes", (one) => one.boxes],
      ...columns.map(([metric, split]) => [`${metric} ${split}`, (one) => percent(value(one, metric, split))]),
    ],
    found,
  );
}

/** An evaluation that shows details when it is opened. */
function folded(one, open) {
  const place = el("div");
  const made = el("details", { open }, el("summary", {}, `${one.artifact}: ${one.model}, ${one.boxes}`), place);
  const fill = async () => {
    if (!made.open || place.childElementCount) return;
    try {
      place.replaceChildren(details(await ask("evaluation", { artifact: one.artifact })));
    } catch (error) {
      place.replaceChildren(el("p", { class: "problem" }, error.message));
    }
  };
  made.addEventListener("toggle", fill);
  if (open) fill();
  return made;
}

function details(one) {
  const splits = [...new Set(one.curves.map((row) => row.split))];
  const lines = splits.map((split) => ({
    name: split,
    points: one.curves.filter((row) => row.split === split).map((row) => [row.recall, row.precision]),
  }));
  const worst = one.categories.filter((row) => ["top1", "AP50"].includes(row.metric));
  const metric = worst.some((row) => row.metric === "top1") ? "top1" : "AP50";
  const ranked = worst.filter((row) => row.metric === metric).sort((a, b) => a.value - b.value);
  return el(
    "div",
    { class: "two" },
    lines.length ? el("section", { class: "card" }, el("h2", {}, "Precision over recall"), lineChart(lines, { x: "recall", y: "precision", range: [0, 1] })) : null,
    el("section", { class: "card" }, el("h2", {}, "Confusions"),
      table(
        [["truth", (row) => row.truth ?? "background", "words"], ["predicted", (row) => row.called ?? "missed", "words"], ["count", (row) => number(row.count)], ["score", (row) => decimal(row.mean_score)]],
        one.confusions.filter((row) => row.truth !== row.called).slice(0, 15),
      )),
    el("section", { class: "card" }, el("h2", {}, `Categories by ${metric}, lowest first`),
      table([["category", (row) => row.category, "words"], [metric, (row) => percent(row.value)], ["objects", (row) => number(row.count)]], ranked.slice(0, 25))),
  );
}
