// Answers and pictures of a folder that is opened from disk; replaces data.js.
// Every answer was written in advance; filters select among them here.

import { el, svg } from "./dom.js";

/** The pseudo-labels that are shown: a folder has one set of them. */
export const chosen = { labels: "" };

/** Step of the sliders of what-if: the counts exist for these values. */
export const STEP = 0.05;

const PAGE = 60; // images of a page
const MARKED = 5; // regions that are marked on the card of an image
const QUANTITIES = ["probability", "margin", "objectness"];
const arrived = new Map();
const kept = new Map();
globalThis.put = (name, text) => arrived.set(name, text);
const known = await load("index");
const places = new Map(known.images.map(([id], place) => [id, place]));

const ANSWERS = {
  image: ({ id }) => imagePage(id),
  side: async ({ id, of }) => (await imagePage(id)).side[of],
  concept: async ({ name }) => ({ ...(await conceptPage(name)), among: known.images.length }),
  evaluation: ({ artifact }) => load(`evaluation-${known.evaluations.indexOf(artifact)}`),
  images, search, suspicions, "what-if": whatIf,
};

/** The answer to a query. @throws {Error} with a sentence */
export async function ask(question, given = {}) {
  return (ANSWERS[question] ?? (() => load(question)))(given);
}

/** Address of a picture: thumb or full. */
export function picture(kind, { id }) {
  return `pictures/${kind}-${places.get(id)}.jpg`;
}

/** The box of a row, cut from the whole picture, with a small margin. */
export function crop({ image_id, concept, x0, y0, x1, y1 }) {
  const [, width, height] = known.images[places.get(image_id)];
  const margin = Math.max(2, 0.08 * Math.max(x1 - x0, y1 - y0));
  const [left, top] = [Math.max(0, x0 - margin), Math.max(0, y0 - margin)];
  const [wide, high] = [Math.min(width, x1 + margin) - left, Math.min(height, y1 + margin) - top];
  const view = { viewBox: `${left} ${top} ${wide} ${high}` };
  const whole = svg("image", { href: picture("full", { id: image_id }), width, height, preserveAspectRatio: "none" });
  return svg("svg", { class: "crop", ...view, role: "img", "aria-label": concept ?? "region" },
    svg("svg", { x: left, y: top, width: wide, height: high, ...view }, whole)); // hides what is outside the box
}

/** An answer from a file: a script passes it as text, the only way from disk. */
function load(name) {
  if (!kept.has(name)) kept.set(name, read(name));
  return kept.get(name);
}

async function read(name) {
  const script = el("script", { src: `data/${name}.js` });
  await new Promise((done) => {
    script.addEventListener("load", done);
    script.addEventListener("error", done);
    document.head.append(script);
  });
  script.remove();
  if (!arrived.has(name)) throw new Error(`data/${name}.js is missing from this folder`);
  const answer = JSON.parse(arrived.get(name));
  arrived.delete(name);
  if (answer?.problem) throw new Error(answer.problem);
  return answer;
}

async function imagePage(id) {
  if (!places.has(id)) throw new Error(`the image ${id} is not among those of this folder`);
  return load(`image-${places.get(id)}`);
}

async function conceptPage(name) {
  await load("concepts"); // throws if there are none
  const place = known.concepts.indexOf(name);
  if (place < 0) throw new Error(`there is no concept ${name}`);
  return load(`concept-${place}`);
}

async function suspicions({ fault }) {
  const all = await load("suspicions");
  return { ...all, regions: all.regions.filter((row) => !fault || row.fault === fault) };
}

/** A page of images, selected as the server does: see page_queries.images. */
async function images({ after = "", before, limit = PAGE, ...filters }) {
  const { wanted, marked } = await filter(filters);
  const back = before !== undefined;
  const found = [];
  let place = back ? (places.get(before) ?? 0) - 1 : placeAfter(after);
  for (; known.images[place] && found.length <= limit; place += back ? -1 : 1) {
    const rows = await load(`images-${Math.floor(place / known.rows)}`);
    const row = rows[place % known.rows];
    if (wanted(row)) found.push(marked ? { ...row, boxes: marked(row) } : row);
  }
  const page = found.slice(0, limit);
  return { images: back ? page.reverse() : page, more: found.length > limit, splits: known.splits, artifacts: [], note: known.note };
}

function placeAfter(id) {
  if (places.has(id)) return places.get(id) + 1;
  return known.images.findIndex(([other]) => other > id);
}

async function filter({ text, concept, split, ...given }) {
  const [probability, margin] = ["probability", "margin"].map((name) => share(given[name], name));
  const byLabel = concept || probability !== null || margin !== null;
  if (byLabel) await load("concepts");
  const name = concept?.trim().toLowerCase();
  const called = new Set(known.concepts.flatMap((one, place) => (one.toLowerCase() === name ? [place] : [])));
  const enough = (value, least) => least === null || (value !== null && value >= least);
  const passes = ([of, sure, ahead]) => (!concept || called.has(of)) && enough(sure, probability) && enough(ahead, margin);
  const wanted = (row) =>
    (!text || row.captions.some((caption) => caption.toLowerCase().includes(text.toLowerCase()))) &&
    (!split || row.split === split) &&
    (!byLabel || row.labels.some(passes));
  return { wanted, marked: byLabel && ((row) => row.labels.filter(passes).slice(0, MARKED).map(([, , , ...box]) => box)) };
}

function share(given, name) {
  if (given === undefined || given === "") return null;
  const value = given.trim() === "" ? NaN : Number(given);
  if (!(value >= 0 && value <= 1)) throw new Error(`${name} is a number from 0 to 1, not '${given.slice(0, 40)}'`);
  return value;
}

/** Regions similar to a concept, or to another region. */
async function search({ text, region }) {
  if (!known.regions) throw new Error("there are no features of these pseudo-labels to search in: 'rc label --from-images' stores none; label the features of 'rc featurize' to have some");
  return { hits: await Promise.all((region ? await likeRegion(region) : await likeWords(text)).map(found)) };
}

async function likeRegion(region) {
  const colon = region.lastIndexOf(":");
  const hits = (await imagePage(region.slice(0, colon))).near[region.slice(colon + 1)];
  if (hits) return hits;
  throw new Error(`${region} is not among the ${known.regions.toLocaleString("en")} regions of highest probability, which are the only ones compared in this folder; rc view compares all`);
}

async function likeWords(text) {
  const name = text.trim().toLowerCase();
  const place = known.concepts.findIndex((one) => one.toLowerCase() === name);
  if (place >= 0) return (await load(`concept-${place}`)).hits;
  throw new Error(`“${text}” is no concept of this pool, and a folder can only search for these; rc view and rc search accept any words`);
}

async function found([place, region, score]) {
  const page = await load(`image-${place}`);
  return { ...page.regions.find((row) => row.region === region), image_id: known.images[place][0], score };
}

/** What thresholds keep, counted in advance for every step of every slider. */
async function whatIf(given) {
  const grid = await load("what-if");
  const levels = QUANTITIES.map((name) => Math.round(Number(given[name] || 0) / grid.step));
  const cell = levels.reduce((place, level) => place * grid.levels + level, 0);
  const asked = QUANTITIES.filter((_, at) => levels[at]).map((name) => `${name} > ${Number(given[name])}`);
  const count = (name) => grid[name][cell];
  const part = (some, all) => (all ? some / all : null);
  return {
    where: asked.join(" AND ") || "true",
    labels: count("labels"), share: count("labels") / Math.max(grid.total, 1),
    images: count("images"), concepts: count("concepts"),
    in_caption: part(count("captioned"), count("known")), on_objects: count("on_objects"),
    precision: part(count("right"), count("on_objects")), recall: part(count("found"), grid.objects),
  };
}
