from __future__ import annotations

import importlib.metadata

import pytest

from benchmarks.languages.__main__ import read_language, score
from schemas.errors import SourceError
from stages.text.parsing import document_words
from stages.text.parsing.document_words import sudachi_version, words_of_document
from stages.text.parsing.engines import load_parser, parser_identity
from stages.text.parsing.language_rule import SUFFIX, LanguageRule

JAPANESE = (
    ("2", "名詞-数詞", "NUM"), ("匹", "接尾辞-名詞的-助数詞", "NOUN"), ("の", "助詞-格助詞", "ADP"),
    ("犬", "名詞-普通名詞-一般", "NOUN"), ("と", "助詞-格助詞", "ADP"), ("お", "接頭辞", "NOUN"),
    ("皿", "名詞-普通名詞-助数詞可能", "NOUN"), ("に", "助詞-格助詞", "ADP"),
    ("消防", "名詞-普通名詞-一般", "NOUN"), ("車", "接尾辞-名詞的-一般", "NOUN"),
    ("二", "名詞-数詞", "NUM"), ("皿", "名詞-普通名詞-助数詞可能", "NOUN"),
    ("テディベア", "名詞-固有名詞-一般", "PROPN"), ("東京", "名詞-固有名詞-地名-一般", "PROPN"),
)  # fmt: skip


@pytest.mark.slow
def test_counters_and_prefixes_are_no_japanese_nouns_and_suffixes_continue_one() -> None:
    from spacy.attrs import LANG
    from spacy.tokens import Doc
    from spacy.vocab import Vocab

    words, tags, parts = (list(column) for column in zip(*JAPANESE, strict=True))
    vocab = Vocab(lex_attr_getters={LANG: lambda _: "ja"})
    read = words_of_document(Doc(vocab, words=words, tags=tags, pos=parts))
    assert [word.pos for word in read if word.text in ("匹", "お", "車")] == ["X", "X", SUFFIX]
    assert all(word.lemma == "" and word.compound is None for word in read)
    assert LanguageRule("ja").concepts(read) == ["犬", "皿", "消防車", "テディベア"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dep", "compound"), [("compound", True), ("compound:nn", True), ("nsubj", False)]
)
def test_a_relation_to_the_right_tells_a_compound(dep: str, compound: bool) -> None:
    from spacy.tokens import Doc
    from spacy.vocab import Vocab

    doc = Doc(
        Vocab(), words=["a", "b"], pos=["NOUN", "NOUN"], lemmas=["x", "y"], heads=[1, 1],
        deps=[dep, "ROOT"],
    )  # fmt: skip
    read = words_of_document(doc)
    assert [(word.lemma, word.compound) for word in read] == [("x", compound), ("y", False)]


def test_without_sudachi_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(document_words.importlib.metadata, "version", absent)
    for call in (sudachi_version, lambda: load_parser(language="ja")):
        with pytest.raises(SourceError, match=r"toolkit\[japanese\]'.*spacy:ja_core_news_sm"):
            call()


@pytest.mark.slow
def test_sudachi_reads_japanese_captions() -> None:
    pytest.importorskip("sudachipy")
    parser = load_parser(language="ja")
    assert (parser.language, parser.identity) == ("ja", parser_identity(language="ja"))
    counts = score(parser, read_language("ja"), verbose=False)
    assert 2 * counts.hits / (2 * counts.hits + counts.false + counts.missed) > 0.94
    hostile = [
        "",
        " \n",
        "\ud800",
        "犬" * 5_000,
        "a dog",
        "。、。",
        "👨\u200d👩" * 50,
        "\uff11\uff12",
    ]
    found = list(parser.concepts(hostile))
    assert len(found) == len(hostile)
    assert found[0] == found[1] == found[5] == found[6] == found[7] == []
