"""A file is what its content says, whatever its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import SourceError
from stages.reviewing.review_files import read_reviews
from tests.stages.reviewing import returned
from tests.stages.reviewing.small_export import Collected, write_export

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RETURNED: dict[str, Callable[..., Path]] = {
    "label-studio": returned.label_studio,
    "cvat": returned.cvat,
    "coco": returned.coco,
}


@pytest.mark.parametrize("form", RETURNED)
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b" \n\t "])
def test_a_format_is_recognised_by_content(tmp_path: Path, form: str, before: bytes) -> None:
    folder = write_export(tmp_path / "out", form)
    content = RETURNED[form](folder, {}).read_bytes()
    if form == "cvat" and before.isspace():
        content = content[content.index(b"<annotations") :]  # nothing stands before <?xml
    (tmp_path / "file").write_bytes(before + content)
    collected = Collected.of(folder)
    read_reviews(tmp_path / "file", collected.collector)
    assert {number: len(boxes) for number, boxes in collected.boxes().items()} == {3: 2, 7: 3}


@pytest.mark.parametrize("content", [b"", b"image,label\n", b"\x89PNG", b'"text"', b" " * 5000])
def test_other_files_are_refused_with_what_is_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    collected = Collected.of(write_export(tmp_path / "out", "cvat"))
    with pytest.raises(SourceError, match=r"is no file of reviews: Label Studio's JSON \(not JSON"):
        read_reviews(tmp_path / "file", collected.collector)


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    collected = Collected.of(write_export(tmp_path / "out", "cvat"))
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(SourceError, match="cannot be read"):
            read_reviews(path, collected.collector)
