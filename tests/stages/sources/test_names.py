from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import SourceError
from stages.sources.names import read_names, without_count

if TYPE_CHECKING:
    from pathlib import Path


def test_names_keep_their_order_and_lose_their_counts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("traffic light,1190\r\n\n  dog \nParis, France\n7,8\n")
    assert read_names(tmp_path / "a.txt") == ["traffic light", "dog", "Paris, France", "7"]


def test_a_single_name_without_newline_is_a_list(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\ufeffdog")
    assert read_names(tmp_path / "a.txt") == ["dog"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"dog\nDog", "has 'dog' and 'Dog', which differ only in case"),
        (b"dog\ncat\ndog", r"has 'dog' more than once \(names 1 and 3\)"),
        ("traffic light\ntraffic\u00a0light".encode(), r"light' \(U\+00A0\), which look alike"),
        ("cat\nc\u0430t".encode(), r"has 'cat' and 'c\u0430t' \(U\+0430\), which look alike"),
        (b'["dog", null]', "has null in place of name 2"),
        (b'["dog", " ", "cat"]', "has an empty text in place of name 2"),
        (
            b'{"categories": [{"name": "dog"}, {"name": ""}]}',
            "has an empty text in place of name 2",
        ),
        (b'["dog", "a\\u001b[1m"]', r"with the character U\+001B in place of name 2"),
        (b'["caf\\u00e9", "cafe\\u0301"]', "more than once"),
        (b"\xff", "cannot be read"),
    ],
)
def test_an_unusable_list_is_refused_with_its_fault(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(SourceError, match=sentence):
        read_names(tmp_path / "a.txt")


def test_a_missing_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_names(tmp_path / "gone.txt")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("dog,7", "dog"),
        (" dog , 7 ", "dog"),
        ("dog,", "dog"),
        (",7", ",7"),
        ("a,b,7", "a,b"),
        ("dog,-7", "dog,-7"),
    ],
)
def test_only_a_whole_number_after_the_last_comma_is_a_count(line: str, name: str) -> None:
    assert without_count(line) == name


@pytest.mark.parametrize(
    "content",
    [
        "dog\ntraffic light\n",
        "\ufeffdog\r\ntraffic light\r\n",
        '"dog",12\n"traffic light",7\n',
        "dog\t12\ntraffic light\t7",
        "1. dog\n2. traffic light",
        "1) dog\n2) traffic light",
        "0: dog\n1: traffic light",
        "0 dog\n1 traffic light",
        "0\tdog\n1\ttraffic light",
        "- dog\n- traffic light",
        'concept,mentions\ndog,12\n"traffic light",7',
        "id,name\n1,dog\n2,traffic light",
        '["dog", "traffic light"]',
        '{"0": "dog", "1": "traffic light"}',
        '{"categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "traffic light"}]}',
    ],
)
def test_a_list_is_read_in_any_usual_form(tmp_path: Path, content: str) -> None:
    for encoding in ("utf-8", "utf-16"):
        (tmp_path / "a.txt").write_text(content.removeprefix("\ufeff"), encoding)
        assert read_names(tmp_path / "a.txt") == ["dog", "traffic light"]
    (tmp_path / "a.txt").write_text(content, "utf-8", newline="")
    assert read_names(tmp_path / "a.txt") == ["dog", "traffic light"]


def test_marks_that_belong_to_a_name_are_kept(tmp_path: Path) -> None:
    names = [
        "bow_(weapon)",
        "4x4",
        "3d printer",
        "2 door car",
        "50's diner",
        "cafe\u0301",
        "Paris, France",
    ]
    written = [f'"{name}"' if name[0] == "2" else name for name in names]
    (tmp_path / "a.txt").write_text("\n".join(written), "utf-8")
    assert read_names(tmp_path / "a.txt") == [*names[:5], "caf\u00e9", names[6]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("3 person\ndog", r"a number before the name \('3 person'\) and one without \('dog'\)"),
        ("caf\u00e9\ncafe\u0301", "more than once"),
        ("dog\x1b[31m", "control character"),
    ],
)
def test_a_list_that_can_be_read_in_two_ways_is_refused(
    tmp_path: Path, content: str, sentence: str
) -> None:
    (tmp_path / "a.txt").write_text(content, "utf-8")
    with pytest.raises(SourceError, match=sentence):
        read_names(tmp_path / "a.txt")


@pytest.mark.parametrize(
    "content",
    [
        "# two names\ndog  # a pet\ntraffic light\n",
        "n02084071 dog\nn06874185 traffic light\n",
        "n02084071\tdog\nn06874185\ttraffic light\n",
        "/m/0bt9lr,dog\n/m/015qff,traffic light\n",
        "LabelName,DisplayName\n/m/0bt9lr,dog\n/m/015qff,traffic light\n",
        "0,dog\n1,traffic light\n",
        "dog;12\ntraffic light;7\n",
        "dog,0.53\ntraffic light,1.2e-3\n",
        "dog,12,9,3\ntraffic light,7,7,1\n",
        "dog,\ntraffic light,\n",
        "'dog'\n'traffic light'\n",
        "concept\ndog\ntraffic light\n",
        'concept,mentions,captions,images,examples\ndog,2,2,1,"a, b"\ntraffic light,1,1,1,\n',
        "names:\n  0: dog\n  1: traffic light\n",
        "['dog', 'traffic light']",
        '{"dog": 12, "traffic light": 7}',
        '{"0": ["n02084071", "dog"], "1": ["n06874185", "traffic light"]}',
        '{"name": "dog"}\n{"name": "traffic light", "count": 7}\n',
    ],
)
def test_ids_counts_and_comments_of_published_lists_are_left_out(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "a.txt").write_text(content, "utf-8")
    assert read_names(tmp_path / "a.txt") == ["dog", "traffic light"]


def test_marks_inside_a_name_do_not_shorten_it(tmp_path: Path) -> None:
    names = ["walk - don't walk sign", "tench, Tinca tinca", "apollo 11 - rocket", "n01 tag"]
    (tmp_path / "a.txt").write_text("\n".join(names), "utf-8")
    assert read_names(tmp_path / "a.txt") == names


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("dog\t12\tanimal\n", "several columns"),
        ("dog, cat, fire hydrant\n", "a line of its own"),
        ("id,name\n1,dog\n2,\n", "row 3 has no name"),
        ('{"images": [{"id": 1}]}', "JSON without names"),
        ("# nothing\n", "is empty"),
    ],
)
def test_a_list_whose_names_cannot_be_told_is_refused(
    tmp_path: Path, content: str, sentence: str
) -> None:
    (tmp_path / "a.txt").write_text(content, "utf-8")
    with pytest.raises(SourceError, match=sentence):
        read_names(tmp_path / "a.txt")
