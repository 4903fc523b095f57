// Answers and pictures from the server.

import { el } from "./dom.js";

/** The pseudo-labels that are shown; empty for the newest. */
export const chosen = { labels: "" };

/** Step of the sliders of what-if. */
export const STEP = 0.01;

/** The answer to a query. @throws {Error} with a sentence */
export async function ask(question, given = {}) {
  const answer = await fetch(`api/${question}?${words(given)}`);
  const content = await answer.json().catch(() => ({ problem: "the gallery does not answer" }));
  if (!answer.ok) throw new Error(content.problem ?? "the gallery does not answer");
  return content;
}

/** Numbers of a map, as float32 in binary. @throws {Error} with a sentence */
export async function askNumbers(question, given) {
  const answer = await fetch(`${question}?${words(given)}`);
  if (answer.ok) return new Float32Array(await answer.arrayBuffer());
  const content = await answer.json().catch(() => ({}));
  throw new Error(content.problem ?? "the gallery does not answer");
}

/** Address of a picture: thumb, full, or crop. */
export function picture(kind, given) {
  return `picture/${kind}?${words(given)}`;
}

/** The crop of the box of a row. */
export function crop(row) {
  const box = [row.x0, row.y0, row.x1, row.y1].join(",");
  return el("img", { src: picture("crop", { id: row.image_id, box }), alt: row.concept ?? "region", loading: "lazy" });
}

function words(given) {
  const all = { labels: chosen.labels, ...given };
  return new URLSearchParams(Object.entries(all).filter(([, value]) => value !== "" && value != null));
}
