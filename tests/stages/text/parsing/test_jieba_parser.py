from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

import pytest

from benchmarks.languages.__main__ import read_language, score
from schemas.errors import SourceError
from stages.text.parsing import jieba_parser
from stages.text.parsing.engines import load_parser, parser_identity
from stages.text.parsing.jieba_parser import jieba_version, words_of_pairs
from stages.text.parsing.language_rule import LanguageRule

if TYPE_CHECKING:
    from pathlib import Path


def concepts(text: str) -> list[str]:
    pairs = [item.split("/") for item in text.split()]
    words = words_of_pairs([(word, flag) for word, flag in pairs])
    return LanguageRule("zh").concepts(words)


@pytest.mark.parametrize(
    ("tagged", "expected"),
    [
        ("一只/m 狗/n 躺/v 在/p 橙色/n 的/uj 沙发/nz 上/f", ["狗", "沙发"]),
        ("街上/s 有/v 一辆/m 公共汽车/nt", ["街", "公共汽车"]),
        ("花上/n 有/v 蜜蜂/n", ["花", "蜜蜂"]),
        ("碗/q 里/f 装/v 着/uz 米饭/n", ["碗", "米饭"]),
        ("三/m 碗/q 米饭/n", ["米饭"]),
        ("足球/n 运动员/n 在/p 奔跑/v", ["足球运动员"]),
        ("照片/n 左边/f 是/v 教堂/n 的/uj 钟楼/nr", ["教堂", "钟楼"]),
        ("昨天/t 他/r 在/p 北京/ns", []),
        ("孩子/n 们/k", ["孩子"]),
        ("上/s", []),
    ],
)
def test_words_become_concepts_by_jiebas_flags(tagged: str, expected: list[str]) -> None:
    assert concepts(tagged) == expected


def test_without_jieba_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(jieba_parser.importlib.metadata, "version", absent)
    for call in (jieba_version, lambda: load_parser(language="zh")):
        with pytest.raises(SourceError, match=r"toolkit\[chinese\]'.*spacy:zh_core_web_sm"):
            call()


@pytest.mark.slow
def test_jieba_reads_chinese_captions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jieba")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    parser = load_parser(language="zh")
    assert (parser.language, parser.identity) == ("zh", parser_identity(language="zh"))
    counts = score(parser, read_language("zh"), verbose=False)
    assert 2 * counts.hits / (2 * counts.hits + counts.false + counts.missed) > 0.85
    hostile = [
        "",
        " \n",
        "\ud800",
        "狗" * 5_000,
        "a dog",
        "。、。",
        "👨\u200d👩" * 50,
        "\uff11\uff12",
    ]
    found = list(parser.concepts(hostile))
    assert len(found) == len(hostile)
    assert found[0] == found[1] == found[5] == found[6] == found[7] == []
    assert list(parser.concepts(["一只狗"])) == [["狗"]]
    assert not list(tmp_path.iterdir())  # no cache that another user could have written


def test_sides_are_only_taken_from_words_that_have_more() -> None:
    words = words_of_pairs([("里", "n"), ("上", "n"), ("门", "n")])
    assert [word.text for word in words] == ["里", "上", "门"]
