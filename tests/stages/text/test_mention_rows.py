from __future__ import annotations

from collections import Counter

from schemas.mentions import MENTIONS
from stages.text.mention_rows import listing, mention_rows
from stages.text.tallies import EXAMPLES


def test_mentions_of_merged_names_are_one_row_that_says_which_names() -> None:
    captions = [("a", 0, "a cat, a kitten, a dog"), ("a", 1, "kittens"), ("b", 0, "a tree")]
    said = [["kitten", "cat", "dog", "kitten"], ["kitten"], []]
    rows = mention_rows(captions, said, {"kitten": "cat"}, Counter())
    MENTIONS.check(rows)
    assert [tuple(row.values()) for row in rows.to_pylist()] == [
        ("a", 0, "cat", 3, "a cat, a kitten, a dog", ["cat", "kitten"]),
        ("a", 0, "dog", 1, "a cat, a kitten, a dog", None),
        ("a", 1, "cat", 1, "kittens", ["kitten"]),
    ]


def test_examples_are_counted_by_concept() -> None:
    given = Counter[str]()
    texts = [f"caption {n}" for n in range(EXAMPLES + 2)]
    captions = [("a", rank, text) for rank, text in enumerate(texts)]
    said = [["cat"], *[["kitten"]] * (EXAMPLES + 1)]
    rows = mention_rows(captions, said, {"kitten": "cat"}, given)
    assert rows.column("text").to_pylist() == [*texts[:EXAMPLES], None, None]
    assert given == {"cat": EXAMPLES + 2}


def test_a_given_pool_is_listed_with_all_its_names() -> None:
    rows = listing([["cat", "kitten"], ["dog"]])
    MENTIONS.check(rows)
    assert [
        (r["image_id"], r["caption"], r["concept"], r["mentions"]) for r in rows.to_pylist()
    ] == [
        ("", 0, "cat", 0),
        ("", 1, "dog", 0),
    ]
    assert rows.column("names").to_pylist() == [["cat", "kitten"], None]
