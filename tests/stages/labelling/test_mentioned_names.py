from __future__ import annotations

from stages.labelling.mentioned_names import mentioned_names
from tests.stages.test_label import mentions


def test_all_captions_of_an_image_are_taken_together() -> None:
    rows = mentions(("a", "dog"), ("b", "car"), ("a", "cat"), ("a", "dog"))
    assert mentioned_names(rows.to_batches(max_chunksize=1)) == {"a": {"dog", "cat"}, "b": {"car"}}
    assert mentioned_names([]) == {}
