from __future__ import annotations

from typing import TYPE_CHECKING

from stages.text.parser_training.selftraining import UNKNOWN, agreed, read_captions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Says:
    """Tags every sentence from a table of words, X if a word is not in it."""

    def __init__(self, **tags: str) -> None:
        self._tags = tags

    def tokenise(self, captions: Sequence[str]) -> list[tuple[str, ...]]:
        return [tuple(caption.split()) for caption in captions]

    def tag(self, sentences: Sequence) -> list:  # type: ignore[type-arg]
        if sentences and isinstance(sentences[0], str):
            return [self._tags.get(word, "X") for word in sentences]
        return [self.tag(words) for words in sentences]


def test_a_disputed_token_loses_its_tag_and_an_agreed_one_keeps_the_networks() -> None:
    network = Says(dog="NOUN.s.c", walks="VERB")
    other = Says(dog="NOUN.p", walks="NOUN.p")
    (sentence,) = agreed(["the dog walks"], network, other)  # type: ignore[arg-type]
    assert sentence.tags == ("X", "NOUN.s.c", UNKNOWN)


def test_a_caption_with_many_disputes_is_left_out() -> None:
    network, other = Says(), Says(dog="NOUN.s")
    assert agreed(["dog dog dog", "", "the"], network, other) == [  # type: ignore[arg-type]
        (("the",), ("X",))
    ]


def test_captions_of_held_out_images_are_not_read(tmp_path: Path) -> None:
    rows = ["coco\t1\tA dog.", "coco\t1\tA brown dog.", "coco\t2\tA cat.", "coco\t3\tA cat."]
    path = tmp_path / "captions.tsv"
    path.write_text("\n".join([*rows, "flickr\t4\tA cow."]))
    assert read_captions(path, "coco", ["a dog !"]) == ["A cat."]
    assert read_captions(path, "") == ["A dog.", "A brown dog.", "A cat.", "A cow."]
