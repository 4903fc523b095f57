from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.images import IMAGES
from stages.ingest import Ingest
from stages.sources import image_batches
from stages.sources.image_batches import ImageSpool
from tests.in_memory import InMemory
from tests.stages.sources.samples import write_images

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_batches_are_limited_by_rows_and_by_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_batches, "_BATCH_ROWS", 3)
    write_images(tmp_path / "p", [f"{n}.jpg" for n in range(7)])
    part = InMemory({}, tmp_path)
    assert [batch.num_rows for batch in Ingest(sources=(str(tmp_path / "p"),)).run(part)] == [
        3,
        3,
        1,
    ]
    monkeypatch.setattr(image_batches, "_BATCH_BYTES", 1)
    packed = list(Ingest(sources=(str(tmp_path / "p"),), pack=True).run(part))
    assert [batch.num_rows for batch in packed] == [1] * 7
    IMAGES.check(packed[0])


def test_a_spool_gives_back_what_was_added_in_any_order(tmp_path: Path) -> None:
    contents = [b"one", b"", b"three"]
    with ImageSpool(tmp_path) as spool:
        places = [spool.add(content) for content in contents]
        back = [spool.get(places[n], len(contents[n])) for n in (2, 0, 1)]
    assert back == [b"three", b"one", b""]
    assert list(tmp_path.iterdir()) == []
