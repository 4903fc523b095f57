"""A source read with raised limits is the same source in all else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from stages.sources import parquet_rows, webdataset_keys
from stages.sources.limited_source import LimitedSource
from stages.sources.record import Record, SourceOptions
from stages.sources.source_kind import open_source
from tests.stages.sources.samples import encoded, ingest, write_images, write_tar

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_it_says_what_its_source_says(tmp_path: Path) -> None:
    write_images(tmp_path, ["a.jpg", "b.jpg", "c.png"])
    (tmp_path / "captions.csv").write_text("image,caption\na.jpg,a cat\n")
    plain, raised = (
        open_source([str(tmp_path)], SourceOptions(part_images=2, size_limits=times))
        for times in (1, 7)
    )
    assert isinstance(raised, LimitedSource)
    assert (raised.kind, raised.digest(), raised.total()) == ("folder", plain.digest(), 3)
    assert raised.slices() == plain.slices()
    assert raised.inventory() == plain.inventory()
    for part in plain.slices():
        assert raised.count(part) == plain.count(part)
        assert raised.slice_digest(part) == plain.slice_digest(part)
        for one, other in zip(raised.records(part), plain.records(part), strict=True):
            assert isinstance(one, Record)
            assert isinstance(other, Record)
            assert one.load() == other.load()
            assert (one.image_id, one.captions) == (other.image_id, other.captions)


def test_images_that_later_stages_could_not_read_are_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist([{"image": encoded(), "caption": "a cat"}]), path)
    rows, _ = ingest(tmp_path / "scratch", path, size_limits=100)
    assert rows[0]["content"] is None
    monkeypatch.setattr(parquet_rows, "_MOST_GROUP_BYTES", 60)
    rows, _ = ingest(tmp_path / "scratch", path, size_limits=100)
    assert rows[0]["content"] == encoded()


def test_members_of_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webdataset_keys, "MOST_MEMBERS", 2)
    content = {"x.png": encoded(), "x.1.txt": b"a", "x.2.txt": b"b", "x.txt": b"a cat"}
    path = write_tar(tmp_path / "a.tar", content)
    captions = {}
    for times in (1, 2):
        rows, _ = ingest(tmp_path / "scratch", path, size_limits=times)
        captions[times] = [row["captions"] for row in rows]
    assert captions == {1: [["a"]], 2: [["a", "b", "a cat"]]}
