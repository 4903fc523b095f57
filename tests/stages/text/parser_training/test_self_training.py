from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from stages.text.parser_training.self_training import UNKNOWN, keep_agreed_tags, read_captions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class TableTagger:
    """Tags words from a table; a word outside the table gets X."""

    def __init__(self, **tags: str) -> None:
        self._tags = tags

    def tokenise(self, captions: Sequence[str]) -> list[tuple[str, ...]]:
        return [tuple(caption.split()) for caption in captions]

    def tag(self, sentences: Sequence) -> list:  # type: ignore[type-arg]
        if sentences and isinstance(sentences[0], str):
            return [self._tags.get(word, "X") for word in sentences]
        return [self.tag(words) for words in sentences]


def test_a_disputed_token_loses_its_tag_and_others_keep_that_of_the_network() -> None:
    network = TableTagger(dog="NOUN.s.c", walks="VERB")
    perceptron = TableTagger(dog="NOUN.p", walks="NOUN.p")
    (sentence,) = keep_agreed_tags(["the dog walks"], network, perceptron)  # type: ignore[arg-type]
    assert sentence.tags == ("X", "NOUN.s.c", UNKNOWN)


def test_a_caption_with_many_disputes_is_left_out() -> None:
    network, perceptron = TableTagger(), TableTagger(dog="NOUN.s")
    assert keep_agreed_tags(["dog dog dog", "", "the"], network, perceptron) == [  # type: ignore[arg-type]
        (("the",), ("X",))
    ]


def test_captions_of_excluded_images_are_not_read(tmp_path: Path) -> None:
    rows = ["coco\t1\tA dog.", "coco\t1\tA brown dog.", "coco\t2\tA cat.", "coco\t3\tA cat."]
    path = tmp_path / "captions.tsv"
    path.write_text("\n".join([*rows, "flickr\t4\tA cow."]))
    assert read_captions(path, "coco", ["a dog !"]) == ["A cat."]
    assert read_captions(path, "") == ["A dog.", "A brown dog.", "A cat.", "A cow."]


def test_a_caption_of_more_than_forty_tokens_is_left_out() -> None:
    network = TableTagger()
    captions = ["the " * 40, "the " * 41]
    sentences = keep_agreed_tags(captions, network, network)  # type: ignore[arg-type]
    assert [len(sentence.words) for sentence in sentences] == [40]


def test_number_and_compound_may_differ_between_the_taggers() -> None:
    network, perceptron = TableTagger(dog="NOUN.p.c"), TableTagger(dog="PROPN.s")
    (sentence,) = keep_agreed_tags(["dog"], network, perceptron)  # type: ignore[arg-type]
    assert sentence.tags == ("NOUN.p.c",)


def test_gzipped_captions_are_read_the_same(tmp_path: Path) -> None:
    text = "coco\t1\tA dog.\ncoco\t2\tA cat.\n"
    (tmp_path / "c.tsv").write_text(text)
    (tmp_path / "c.tsv.gz").write_bytes(gzip.compress(text.encode()))
    plain, packed = (read_captions(tmp_path / name, "coco") for name in ("c.tsv", "c.tsv.gz"))
    assert plain == packed == ["A dog.", "A cat."]
