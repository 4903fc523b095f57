// Pages have addresses behind the #, so that they can be kept and gone back to.

/** Go to a page. */
export function go(page, given = {}) {
  location.hash = `${page}?${new URLSearchParams(given)}`;
}

/** The page asked for, and what was given with it. */
export function here() {
  const [page, words] = location.hash.slice(1).split("?");
  return [page || "overview", Object.fromEntries(new URLSearchParams(words ?? ""))];
}
