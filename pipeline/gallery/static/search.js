// Regions similar to a text, or to another region.

import { crops } from "./concepts.js";
import { ask } from "./data.js";
import { announce, el } from "./dom.js";
import { marking } from "./marking.js";
import { go } from "./route.js";

const EXAMPLES = 12;

/** The concepts with the most regions, to begin with. */
async function examples() {
  const named = (await ask("concepts")).filter(({ regions }) => regions).slice(0, EXAMPLES);
  if (!named.length) return [];
  return [
    el("p", { class: "soft" }, "Regions that look like the words, the most similar first. For example:"),
    el("p", { class: "examples" }, named.map(({ concept }) => el("a", { href: `#search?${new URLSearchParams({ text: concept })}` }, concept))),
  ];
}

export async function search(page, given) {
  const box = el("input", { name: "text", value: given.text ?? "", placeholder: "a red umbrella", "aria-label": "search for" });
  page.append(
    el("h1", {}, "Search"),
    el("form", { class: "filters", onsubmit: (event) => { event.preventDefault(); go("search", { text: box.value }); } }, box, el("button", {}, "Search")),
  );
  if (!given.text && !given.region) {
    page.append(...(await examples().catch(() => [])));
    return;
  }
  const wait = el("p", { class: "soft" }, "Searching…");
  page.append(wait);
  const { hits, labels } = await ask("search", given);
  wait.replaceWith(el("p", { class: "soft" }, given.region ? `Regions most similar to ${given.region}` : `Regions most similar to “${given.text}”`));
  page.append(crops(hits));
  if (marking && hits.length) page.append(...inBulk(page, hits, labels));
  announce(`${hits.length} regions`);
}

/** Marks the results at once, but for those that are unticked. */
function inBulk(page, hits, labels) {
  const ticks = [...page.querySelectorAll(".crops > a")].map((link, at) => {
    const tick = el("input", { type: "checkbox", checked: true, "aria-label": `mark region ${hits[at].region} of ${hits[at].image_id}` });
    link.before(el("div", { class: "ticked" }, tick));
    link.previousSibling.append(link);
    return tick;
  });
  const selected = () => {
    const regions = hits.filter((_, at) => ticks[at].checked).map(({ image_id, region }) => [image_id, region]);
    return { count: regions.length, of: { regions } };
  };
  return [
    el("h2", {}, "Mark these"),
    el("p", { class: "soft" }, "The labels of all results that are ticked are right, or wrong, or something else."),
    marking(page, labels, { selected }),
  ];
}
