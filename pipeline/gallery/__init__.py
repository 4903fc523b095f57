"""The gallery: a web page that shows a store, on this machine only.

`server.make_app` is the application. `page_queries`, `comparison_sides`, `synonyms` and
`model_results` query the store through the connections of `connection_pool`; `audit_queries` also
writes down what is judged, and `mark_queries` what is marked in bulk, the only things that are ever
written; `region_map` has the points of the page Map. `pictures` serves the pixels of its
images and nothing else; `guard` decides who may send requests and what a page may do.
The pages are in `static`: plain modules without a build step, which insert words only as text.
"""
