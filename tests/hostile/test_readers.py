"""No file, whatever is in it, shows as a traceback: its records are refused, or all of it is.

The rule is in docs/architecture.md, "A walk: one bad record"; how to try more, in CONTRIBUTING.md.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import sql
from schemas.errors import QueryError
from tests.hostile.fuzzing import FUZZ, damaged, read_or_refused
from tests.hostile.readers import byte_readers, json_readers, new_folder
from tests.hostile.values import VALUES, mutations, nested, replaced

if TYPE_CHECKING:
    from pathlib import Path

    from tests.hostile.readers import Reader

pytestmark = pytest.mark.slow
DAMAGED = (
    *("tar", "gzipped tar", "JPEG", "PNG", "WebP", "CSV", "TSV", "JSON lines"),
    *("Parquet of names", "Parquet of images", "captions in Parquet", "captions in text"),
    *("boxes in Parquet", "boxes in HDF5", "boxes in JSON", "YOLO", "labels of YOLO"),
    *("image TSV", "index of a TSV", "list", "templates", "recipe", "groups", "rules"),
    *("safetensors", "archive of torch", "old file of torch", "pickle of NumPy"),
    *("CVAT", "CVAT in an archive", "exported labels"),
)
FRAGMENTS = ("kept", "probability", ">", "(", ")", "'", '"', ",", "0.5", "NOT", "\0", "\ud800", ";")


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    return byte_readers(tmp_path_factory.mktemp("good"))


@pytest.mark.parametrize("name", json_readers())
def test_json_with_any_value_in_any_place_is_read_or_refused(name: str, tmp_path: Path) -> None:
    document, file, read = json_readers()[name]
    path = new_folder(tmp_path / "images") / file
    path.parent.mkdir(exist_ok=True)
    changed = list(mutations(document))

    @FUZZ
    @given(st.sampled_from(changed))
    def read_one(change: tuple[str, str]) -> None:
        path.write_text(change[1])
        assert read_or_refused(lambda: read(tmp_path / "images"))

    path.write_text(json.dumps(document))
    read(tmp_path / "images")
    read_one()


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_read_or_refused(
    name: str, readers: dict[str, Reader], tmp_path: Path
) -> None:
    reader = readers[name]
    folder = new_folder(tmp_path / "images")

    @FUZZ
    @given(damaged(reader.good))
    def read_one(content: bytes) -> None:
        (folder / reader.file).write_bytes(content)
        assert read_or_refused(lambda: reader.read(folder))

    (folder / reader.file).write_bytes(reader.good)
    reader.read(folder)
    read_one()


def test_every_reader_is_tried(readers: dict[str, Reader]) -> None:
    assert set(readers) == set(DAMAGED)


@FUZZ
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=8))
def test_any_text_is_a_condition_or_refused(words: list[str]) -> None:
    try:
        assert sql.means_kept(" ".join(words)) in (True, False)
    except QueryError as error:
        assert str(error).encode()  # noqa: PT017 - an answer is as good


def test_a_value_is_put_in_as_it_is() -> None:
    assert replaced({"a": [1, 2]}, ("a", 1), VALUES["lone surrogate"]) == r'{"a": [1, "\ud800"]}'
    assert nested(2) == "[[]]"
    assert len(list(mutations([1]))) == 2 * len(VALUES)
