from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.store import own_hash

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = {"at": 7, "why": 'it said "no"', "more": [None, {"": ""}]}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    own_hash.write(tmp_path / "x.json", CONTENT)
    assert own_hash.read(tmp_path / "x.json") == CONTENT
    assert list(json.loads((tmp_path / "x.json").read_text()))[-1] == own_hash.FIELD


def test_no_flipped_bit_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    own_hash.write(path, CONTENT)
    content = path.read_bytes()
    for place in range(len(content)):
        for bit in range(8):
            flipped = bytes([content[place] ^ 1 << bit])
            path.write_bytes(content[:place] + flipped + content[place + 1 :])
            with pytest.raises(ValueError):  # noqa: PT011 - JSON, UTF-8 or ours
                own_hash.read(path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("[]", "^it is no object$"),
        ("7", "^it is no object$"),
        ("{}", "^it has no hash of itself$"),
        ('{"at": 7}', "^it has no hash of itself$"),
        ('{"own_sha256": ""}', "^it has no hash of itself$"),
        ('{"own_sha256": "0"}', "^it is not as it was written, by its own hash$"),
    ],
)
def test_what_has_no_hash_is_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=why):
        own_hash.read(tmp_path / "x.json")


def test_a_file_without_a_place_belongs_nowhere(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(own_hash.sealed('{"at": 7, "own_sha256": ""}'))
    with pytest.raises(ValueError, match=r"^it is that of None$"):
        own_hash.read(tmp_path / "x.json")


def test_a_file_belongs_to_its_folder_wherever_the_store_is(tmp_path: Path) -> None:
    for store, table in (("a", "images"), ("b", "images"), ("a", "concepts")):
        (tmp_path / store / table / "v1-0").mkdir(parents=True)
    here, there, other = (
        tmp_path / place / "v1-0" / "x.json" for place in ("a/images", "b/images", "a/concepts")
    )
    own_hash.write(here, CONTENT)
    there.write_bytes(here.read_bytes())
    other.write_bytes(here.read_bytes())
    assert own_hash.read(there) == CONTENT
    with pytest.raises(ValueError, match=r"it is that of images/v1-0/x\.json"):
        own_hash.read(other)
