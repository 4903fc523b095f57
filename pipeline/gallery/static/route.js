// Each page has an address after the #, for bookmarks and the back button.

/** Go to a page. */
export function go(page, given = {}) {
  location.hash = `${page}?${new URLSearchParams(given)}`;
}

/** The current page and its parameters. */
export function here() {
  const [page, words] = location.hash.slice(1).split("?");
  return [page || "overview", Object.fromEntries(new URLSearchParams(words ?? ""))];
}
