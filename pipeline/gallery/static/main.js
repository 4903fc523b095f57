// The current page, and the parts that all pages share.

import { audit } from "./audit.js";
import { concept, concepts } from "./concepts.js";
import { evaluation, training } from "./curves.js";
import { ask, chosen } from "./data.js";
import { el } from "./dom.js";
import { image } from "./image.js";
import { images } from "./images.js";
import { overview } from "./overview.js";
import { map } from "./map.js";
import { here } from "./route.js";
import { search } from "./search.js";
import { suspicions } from "./suspicions.js";
import { whatIf } from "./whatif.js";

const PAGES = {
  overview: ["Overview", overview], images: ["Images", images], image: ["", image],
  concepts: ["Concepts", concepts], concept: ["", concept], search: ["Search", search],
  "what-if": ["What if", whatIf], training: ["Training", training], evaluation: ["Evaluation", evaluation],
  suspicions: ["Suspicions", suspicions],
  ...(audit ? { audit: ["Audit", audit] } : {}),
  ...(map ? { map: ["Map", map] } : {}),
};
const PARENTS = { image: "images", concept: "concepts" };

async function show() {
  const [name, given] = here();
  const [title, draw] = Object.hasOwn(PAGES, name) ? PAGES[name] : PAGES.overview;
  document.querySelector("nav").replaceChildren(
    ...Object.entries(PAGES).filter(([, [title]]) => title).map(([key, [title]]) =>
      el("a", { href: `#${key}`, "aria-current": key === (PARENTS[name] ?? name) ? "page" : null }, title)),
  );
  const page = el("div");
  document.getElementById("page").replaceChildren(page);
  document.title = `${given.id ?? given.name ?? (title || "Overview")} – gallery`;
  try {
    await draw(page, given);
  } catch (error) {
    page.append(el("p", { class: "problem" }, error.message));
  }
  page.dataset.ready = "yes";
  scrollTo(0, 0);
}

function theme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

document.getElementById("theme").addEventListener("click", theme);
const labels = document.getElementById("labels");
labels.addEventListener("change", () => { chosen.labels = labels.value; show(); });
addEventListener("hashchange", show);
addEventListener("keydown", (event) => {
  if (event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const links = [...document.querySelectorAll("nav a")];
  const link = links[Number(event.key) - 1];
  if (link) { event.preventDefault(); location.hash = link.hash; }
});
await show();
const found = await ask("overview").catch(() => ({ labels: [] }));
labels.replaceChildren(...found.labels.map((name) => el("option", { value: name }, name)));
labels.parentElement.hidden = found.labels.length < 2;
