from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from stages.sources import json_records
from stages.sources.json_records import Unreadable, elements

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


class Element(NamedTuple):
    """One of `Elements`."""

    key: str | None
    value: Any
    is_member: bool = False


def read(path: Path, text: str) -> list[Element]:
    """Elements of a file with this text, however they are grouped."""
    path.write_text(text)
    return [Element(s.key, value, s.is_member) for s in elements(path) for value in s.values]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("chunk", [8, 50, 1 << 20])
def test_chunks_and_white_space_do_not_change_the_elements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, indent: int | None
) -> None:
    monkeypatch.setattr(json_records, "_CHUNK", chunk)
    values = [{"a": [1, {"b": "x,] }"}]}, 12345, "text", [], None]
    content = {"first": values, "none": [], "number": 1.5, "object": {"c": [1]}}
    assert read(tmp_path / "l.json", json.dumps(values, indent=indent)) == [
        Element(None, value) for value in values
    ]
    assert read(tmp_path / "o.json", json.dumps(content, indent=indent)) == [
        *(Element("first", value) for value in values),
        Element("none", [], is_member=True),
        Element("number", 1.5, is_member=True),
        Element("object", {"c": [1]}, is_member=True),
    ]


def test_lines_are_elements_and_one_that_is_no_json_stands_for_itself(tmp_path: Path) -> None:
    first, broken, last = read(tmp_path / "b.json", '{"a": 1}\n\n{"a": \n{"a": 3}\n')
    assert (first.value, last.value) == ({"a": 1}, {"a": 3})
    assert isinstance(broken.value, Unreadable)
    (line,) = read(tmp_path / "b.jsonl", "garbage")
    assert isinstance(line.value, Unreadable)


@pytest.mark.parametrize("text", ['{"a": 1}', '{"a": 1}\n', '{"a": 1}\n\n', '\ufeff{"a": 1}'])
def test_one_object_in_one_line_is_an_object(tmp_path: Path, text: str) -> None:
    assert read(tmp_path / "b.json", text) == [Element("a", 1, is_member=True)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "does not begin with"),
        ("text", "does not begin with"),
        ("[1, 2", "Expecting value"),
        ("[1] [2]", "more text follows the end"),
        ('{"a" 1}', "a name and a colon are expected"),
        ("{1: 2}", "a name and a colon are expected"),
        ('{"a": [1', "Expecting value"),
    ],
)
def test_a_fault_ends_the_file(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read(tmp_path / "b.json", text)


def test_an_element_longer_than_a_chunk_is_read_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_records, "_CHUNK", 10)
    monkeypatch.setattr(json_records, "_LONGEST", 200)
    values: list[Any] = ["x" * 100, 1]
    assert [e.value for e in read(tmp_path / "a.json", json.dumps(values))] == values
    with pytest.raises(ValueError, match="Unterminated string"):
        read(tmp_path / "b.json", json.dumps(["x" * 5000, 1]))


def test_objects_of_a_list_come_many_at_a_time(tmp_path: Path) -> None:
    values = [{"a": number, "b": {"c": [{}, [{}]]}} for number in range(1000)]
    (tmp_path / "a.json").write_text(json.dumps(values))
    first, last = elements(tmp_path / "a.json")
    assert [len(first.values), len(last.values)] == [999, 1]
    assert first.values + last.values == values


PIECES = (
    '{"a": 1}',
    '{"b": [{}, {"c": "},{"}]}',
    "[{},{}]",
    "0.98127",
    '"},{"',
    " ",
    ",",
    "}",
    "{",
)


@pytest.mark.parametrize("chunk", [4, 30, 1 << 20])
@pytest.mark.parametrize("tail", [3, 40])
def test_what_is_read_at_once_is_what_is_read_one_by_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rng: np.random.Generator,
    chunk: int,
    tail: int,
) -> None:
    monkeypatch.setattr(json_records, "_CHUNK", chunk)
    monkeypatch.setattr(json_records, "_TAIL", tail)
    good, bad = 0, 0
    for _ in range(200):
        pieces = rng.choice(PIECES, rng.integers(1, 9), p=[0.4, 0.2, 0.1, 0.1, 0.1, *[0.025] * 4])
        text = f"[{','.join(pieces)}]"
        found: list[object] = []
        for at_once in (True, False):
            with monkeypatch.context() as patch:
                if not at_once:
                    patch.setattr(json_records._Text, "_objects", lambda _: [])
                try:
                    found.append(read(tmp_path / "a.json", text))
                except ValueError as error:
                    found.append(str(error).partition(":")[0])
        assert found[0] == found[1], text
        good, bad = good + isinstance(found[0], list), bad + isinstance(found[0], str)
    assert min(good, bad) > 10


def test_a_long_list_of_numbers_is_not_cut_inside_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    values = rng.random(3000).tolist()
    for size in (1 << 20, 5000, 71):
        monkeypatch.setattr(json_records, "_CHUNK", size)
        found = [e.value for e in read(tmp_path / "a.json", json.dumps(values))]
        assert found == values
