"""The gallery: a web page over a store, on this machine alone.

`server.make_app` is the application. `questions`, `sides`, `synonyms` and `models` ask the store,
through the connections that `connections` keeps; `media` serves the pixels of its
images and nothing else, `guard` says who may ask and what a page may do. The pages themselves are
in `static`: plain modules without a build step, that put words into pages only as text.
"""
