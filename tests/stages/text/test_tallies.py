from __future__ import annotations

from schemas.mentions import MENTIONS
from stages.text.tallies import EXAMPLES, concept_rows, count_mentions

ROWS = [
    ("", 0, "cat", 0, None, None),
    ("a", 0, "dog", 2, "dog dog", None),
    ("a", 1, "dog", 1, "a dog", None),
    ("b", 0, "dog", 1, "the dog", ["puppy"]),
    ("b", 1, "dog", 1, "dog!", ["dog", "hound"]),
]


def test_mentions_captions_images_and_examples_are_counted_over_batches() -> None:
    names = [column.name for column in MENTIONS.columns]
    batches = [
        MENTIONS.batch({name: [row[at] for row in rows] for at, name in enumerate(names)})
        for rows in (ROWS[:2], ROWS[2:])
    ]
    tallies = count_mentions(batches)
    assert (tallies["cat"].listed, tallies["cat"].mentions) == (0, 0)
    cat, dog = concept_rows(["cat", "dog"], tallies).to_pylist()
    assert (dog["concept_id"], dog["mentions"], dog["captions"], dog["images"]) == (1, 5, 4, 2)
    assert dog["examples"] == ["dog dog", "a dog", "the dog"][:EXAMPLES]
    assert (cat["mentions"], cat["examples"]) == (0, [])
    assert (cat["names"], dog["names"]) == (["cat"], ["dog", "hound", "puppy"])
