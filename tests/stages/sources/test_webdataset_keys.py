from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.quarantine import Reason
from stages.sources.record import LeftOut, Problem
from stages.sources.tar_members import TarMember
from stages.sources.webdataset_keys import (
    MOST_MEMBERS,
    KeyMembers,
    KeyWindow,
    images_of,
    read_captions,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def member(name: str, content: bytes = b"", held: int = 0) -> TarMember:
    return TarMember(name, 0, held, lambda: content)


def key_of(members: Mapping[str, bytes]) -> KeyMembers:
    return KeyMembers("x", {name: member(name, content) for name, content in members.items()})


def captions_of_images(
    members: Mapping[str, bytes],
) -> tuple[dict[str, list[str]], list[Problem | LeftOut]]:
    """Captions by name of image, and what could not be given."""
    key = key_of(members)
    images = images_of(key)
    rest = list(read_captions(key, images, "t"))
    return {image.member.name: image.captions for image in images}, rest


def leaving(window: KeyWindow, names: list[str], held: int = 0) -> list[list[str]]:
    keys = [list(key.members) for name in names for key in window.add(member(name, held=held))]
    return keys + [list(key.members) for key in window.drain()]


def test_members_of_a_key_are_joined_in_any_order() -> None:
    names = ["a.jpg", "b.jpg", "a.txt", "b.txt"]
    assert leaving(KeyWindow(), names) == [["a.jpg", "a.txt"], ["b.jpg", "b.txt"]]


def test_the_same_name_again_begins_another_sample() -> None:
    names = ["a.jpg", "a.txt", "a.jpg"]
    assert leaving(KeyWindow(), names) == [["a.jpg", "a.txt"], ["a.jpg"]]


@pytest.mark.parametrize("held", [0, 100 << 20])
def test_the_key_that_grew_last_stays_longest(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 2 * (1024 + 20 + held) + (1024 + 20)  # bytes of two members and a half
    monkeypatch.setattr("stages.sources.webdataset_keys.WINDOW_BYTES", limit)
    names = ["a.jpg", "b.jpg", "a.txt", "c.jpg"]
    assert leaving(KeyWindow(), names, held)[0] == ["b.jpg"]


def test_one_key_cannot_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.sources.webdataset_keys.WINDOW_BYTES", 3000)
    monkeypatch.setattr("stages.sources.files._MOST_BYTES", 2000)
    sizes = [len(key) for key in leaving(KeyWindow(), [f"a.{n}.jpg" for n in range(20)])]
    assert sum(sizes) == 20
    assert max(sizes) == 5  # 5 kilobytes


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["x.jpg", "x.txt"], ["x"]),
        (["x.input.jpg"], ["x"]),
        (["x.0.jpg", "x.1.jpg"], ["x.0", "x.1"]),
        (["x.0.jpg", "x.jpg"], ["x.0", "x"]),
        (["x.png", "x.jpg"], ["x", "x"]),
    ],
)
def test_images_with_labels_of_their_own_have_ids_of_their_own(
    names: list[str], ids: list[str]
) -> None:
    assert [image.id for image in images_of(key_of(dict.fromkeys(names, b"")))] == ids


def test_of_one_label_the_first_is_that_of_the_preferred_suffix() -> None:
    names = ["x.heic", "x.webp", "x.png", "x.JPG"]
    images = images_of(key_of(dict.fromkeys(names, b"")))
    assert [image.member.name for image in images] == ["x.JPG", "x.png", "x.webp", "x.heic"]


@pytest.mark.parametrize(
    ("members", "captions"),
    [
        ({"x.input.jpg": b"", "x.outputs.txt": b"one"}, {"x.input.jpg": ["one"]}),
        (
            {"x.jpg": b"", "x.json": b'{"caption": "two"}', "x.txt": b"one"},
            {"x.jpg": ["one", "two"]},
        ),
        ({"x.jpg": b"", "x.cap": b"one", "x.text": b"two"}, {"x.jpg": ["one", "two"]}),
        (
            {"x.0.jpg": b"", "x.1.jpg": b"", "x.1.txt": b"one"},
            {"x.0.jpg": [], "x.1.jpg": ["one"]},
        ),
        (
            {"x.input.jpg": b"", "x.target.jpg": b"", "x.prompt.txt": b"one"},
            {"x.input.jpg": ["one"], "x.target.jpg": []},
        ),
        ({"x.jpg": b"", "x.0.jpg": b"", "x.txt": b"one"}, {"x.jpg": ["one"], "x.0.jpg": []}),
    ],
)
def test_a_caption_is_of_the_image_that_its_label_says(
    members: dict[str, bytes], captions: dict[str, list[str]]
) -> None:
    assert captions_of_images(members) == (captions, [])


@pytest.mark.parametrize(
    ("members", "record", "reason"),
    [
        ({"x.0.jpg": b"", "x.1.jpg": b"", "x.txt": b"?"}, "t/x.txt", Reason.AMBIGUOUS_NAME),
        ({"x.txt": b"alone", "x.json": b'{"caption": "alone"}'}, "t/x", Reason.UNKNOWN_IMAGE),
        ({"x.txt": b"\xff"}, "t/x.txt", Reason.BAD_CAPTION),
    ],
)
def test_a_caption_of_no_certain_image_is_refused_once(
    members: dict[str, bytes], record: str, reason: Reason
) -> None:
    _, rest = captions_of_images(members)
    assert [(p.record, p.reason) for p in rest if isinstance(p, Problem)] == [(record, reason)]
    assert len(rest) == 1


def test_members_that_hold_no_caption_are_counted() -> None:
    _, rest = captions_of_images({"x.jpg": b"", "x.txt": b" \n", "x.json": b'{"width": 3}'})
    assert rest == [LeftOut(".txt member of no caption"), LeftOut(".json member of no caption")]


def test_members_beyond_those_of_any_key_are_another_key() -> None:
    names = [f"a.{number}.jpg" for number in range(MOST_MEMBERS + 2)]
    assert leaving(KeyWindow(), names) == [names[:MOST_MEMBERS], names[MOST_MEMBERS:]]
