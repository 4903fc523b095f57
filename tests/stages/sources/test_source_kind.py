from __future__ import annotations

from typing import TYPE_CHECKING

import fsspec
import pytest

from schemas.errors import SourceError
from stages.sources.record import SourceOptions
from stages.sources.source_kind import open_source
from tests.stages.sources.samples import encoded, ids, ingest, write_images, write_tar

if TYPE_CHECKING:
    from pathlib import Path


def opened(*paths: Path | str, kind: str = "auto") -> str:
    return open_source([str(path) for path in paths], SourceOptions(kind)).kind


def test_no_source_says_what_is_accepted() -> None:
    with pytest.raises(SourceError, match=r"needs a source: WebDataset tars; a COCO folder"):
        opened()


def test_an_unknown_source_says_what_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"a\.docx is not a source; rc ingest reads WebDataset"):
        opened(tmp_path / "a.docx")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no file or folder .*gone\.tar"):
        opened(tmp_path / "gone.tar")
    with pytest.raises(SourceError, match=r"nothing matches .*\*\.tar"):
        opened(tmp_path / "*.tar")


def test_an_empty_folder_holds_no_images(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no images"):
        opened(tmp_path)


def test_the_same_tar_twice_is_refused(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", {"x.jpg": encoded()})
    with pytest.raises(SourceError, match=r"given twice: .*a\.tar"):
        ingest(tmp_path / "s", tar, tar)


def test_the_kind_may_be_said(tmp_path: Path) -> None:
    write_images(tmp_path, ["a.jpg"])
    write_tar(tmp_path / "a.tar", {"x.jpg": encoded()})
    assert opened(tmp_path) == "webdataset"
    assert opened(tmp_path, kind="folder") == "folder"


def test_a_kind_without_splits_refuses_them(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", {"x.jpg": encoded()})
    with pytest.raises(SourceError, match="--split: a webdataset source has no splits"):
        ingest(tmp_path / "s", tar, split=("val",))


def test_remote_tars_are_read_through_fsspec(tmp_path: Path) -> None:
    for name in ("0", "1"):
        content = write_tar(tmp_path / f"{name}.tar", {"x.jpg": encoded()}).read_bytes()
        with fsspec.open(f"memory://shards/{name}.tar", "wb") as file:
            file.write(content)
    for pattern in ("memory://shards/{0..1}.tar", "memory://shards/*.tar"):
        rows, refused = ingest(tmp_path / "s", pattern)
        assert (ids(rows), refused) == (["0/x", "1/x"], [])
    assert rows[0]["uri"] == "memory://shards/0.tar" or rows[0]["uri"].endswith("/shards/0.tar")
