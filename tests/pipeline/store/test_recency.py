from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.store import catalog, own_hash, recency
from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path


def copied(root: Path, target: Path) -> Path:
    """A copy of a store whose files all have one time, as `cp -r` may leave them, or worse."""
    shutil.copytree(root, target, copy_function=shutil.copyfile)
    folders = sorted(target.glob("images/v*"))
    for age, folder in enumerate(reversed(folders)):
        for path in folder.iterdir():
            os.utime(path, (1_000_000 + age, 1_000_000 + age))
    return target


def test_a_copy_without_times_gives_the_same_answers(root: Path, tmp_path: Path) -> None:
    made = [make(Ingest(count=count), root).address for count in (3, 4, 5)]
    make(Ingest(count=3), root)  # asked for again: now the newest
    copy = copied(root, tmp_path / "copy")
    assert catalog.find(root, "images").address == made[0]
    assert catalog.find(copy, "images").address == made[0]
    order = [artifact.address for artifact in catalog.everything(root)]
    assert order == [made[1], made[2], made[0]]
    assert [artifact.address for artifact in catalog.everything(copy)] == order


def test_times_of_files_change_nothing(root: Path) -> None:
    first, second = (make(Ingest(count=count), root) for count in (3, 4))
    os.utime(first.path / "manifest.json")
    assert catalog.find(root, "images").address == second.address


def test_a_clock_that_was_set_back_still_makes_the_newest(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(Ingest(count=3), root)
    monkeypatch.setattr("pipeline.store.recency.time.time_ns", lambda: 1)
    second = make(Ingest(count=4), root)
    assert catalog.find(root, "images").address == second.address


@pytest.mark.slow
@pytest.mark.parametrize(
    "content", [None, b"", b"{}", b'{"at": "x"}', b"\xff", b'{"at": null}', b'{"at": 1e400}']
)
def test_where_nothing_is_recorded_the_time_of_the_run_counts(
    root: Path, content: bytes | None
) -> None:
    first, second = (make(Ingest(count=count), root) for count in (3, 4))
    for artifact in (first, second):
        file = artifact.path / recency.NAME
        file.unlink() if content is None else file.write_bytes(content)
    assert catalog.find(root, "images").address == second.address


@pytest.mark.parametrize("harm", ["flipped", "swapped"])
def test_a_damaged_record_is_named_and_counts_for_nothing(
    root: Path, caplog: pytest.LogCaptureFixture, harm: str
) -> None:
    first, second = (make(Ingest(count=count), root) for count in (3, 4))
    file = first.path / recency.NAME
    text = (second.path / recency.NAME).read_text()
    file.write_text(text if harm == "swapped" else file.read_text().replace('"at": 1', '"at": 9'))
    assert catalog.find(root, "images").address == second.address
    assert f"warning: {file} is damaged" in caplog.text


def test_equal_recency_is_ordered_by_name(root: Path) -> None:
    made = [make(Ingest(count=count), root) for count in (3, 4, 5)]
    for artifact in made:
        own_hash.write(artifact.path / recency.NAME, {"at": 7})
    names = sorted(artifact.path.name for artifact in made)
    assert [artifact.path.name for artifact in catalog.everything(root)] == names
    assert catalog.find(root, "images").path.name == names[-1]


def test_recency_is_no_part_of_the_recipe(root: Path, tmp_path: Path) -> None:
    one, other = make(Ingest(count=3), root), make(Ingest(count=3), tmp_path / "other")
    assert one.manifest.fingerprint == other.manifest.fingerprint
    assert recency.NAME not in (one.path / "manifest.json").read_text()
    assert catalog.verify(one) == []
