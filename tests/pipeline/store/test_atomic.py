from __future__ import annotations

import hashlib
import multiprocessing
import os
from pathlib import Path

import pytest

from pipeline.store.atomic import exclusively, new_folder, publish, sha256, whole_or_absent
from schemas.errors import OptionError
from tests.waiting import HANG_S


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def fail_halfway(target: Path) -> None:
    with whole_or_absent(target) as draft:
        draft.write_text("half of i")
        raise KeyError


def test_a_file_appears_whole_when_the_block_succeeds(tmp_path: Path) -> None:
    target = tmp_path / "file"
    with whole_or_absent(target) as draft:
        draft.write_text("all of it")
        assert not target.exists()
    assert target.read_text() == "all of it"
    assert names(tmp_path) == ["file"]


def test_nothing_appears_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        fail_halfway(tmp_path / "file")
    assert names(tmp_path) == []


def test_what_was_there_stays_when_the_block_fails(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(KeyError):
        fail_halfway(target)
    assert target.read_text() == "old"


def test_publishing_flushes_the_file_and_its_folder_before_and_after_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed = []
    target = tmp_path / "file"
    monkeypatch.setattr(
        os,
        "fsync",
        lambda fd: flushed.append((str(Path(f"/proc/self/fd/{fd}").readlink()), target.exists())),
    )
    draft = tmp_path / "draft"
    draft.write_text("content")
    publish(draft, target)
    assert flushed == [(str(draft), False), (str(tmp_path), True)]


@pytest.mark.parametrize("size", [0, 1, (4 << 20) + 3])
def test_the_hash_is_that_of_the_content(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("end", [0, 1, 4 << 20, (4 << 20) + 2, (8 << 20) + 5, 9 << 20])
def test_the_hash_may_be_that_of_the_first_bytes(tmp_path: Path, end: int) -> None:
    content = os.urandom((8 << 20) + 5)
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file", end) == hashlib.sha256(content[:end]).hexdigest()


def _hold(lock: Path, ready: object, enough: object) -> None:
    with exclusively(lock, lambda: None):
        ready.set()  # type: ignore[attr-defined]
        enough.wait(HANG_S)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_lock_held_by_another_process_is_waited_for_and_said_so(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("spawn")
    ready, enough = fork.Event(), fork.Event()
    holder = fork.Process(target=_hold, args=(tmp_path / "a" / "lock", ready, enough))
    holder.start()
    assert ready.wait(HANG_S)
    said = []

    def on_wait() -> None:
        said.append("waiting")
        enough.set()

    with exclusively(tmp_path / "a" / "lock", on_wait):
        assert said == ["waiting"]
    holder.join()


def test_a_free_lock_is_taken_without_a_word_again_and_again(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusively(tmp_path / "lock", lambda: pytest.fail("nobody holds it")):
            pass


def fail_in_folder(target: Path) -> None:
    with new_folder(target) as draft:
        (draft / "file").write_text("half of i")
        raise KeyError


def write_both(target: Path) -> None:
    with new_folder(target) as late:
        (late / "file").write_text("late")
        with new_folder(target) as early:
            (early / "file").write_text("early")


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a" / "out") as draft:
        (draft / "file").write_text("all of it")
        assert names(tmp_path / "a") == [draft.name]
    assert names(tmp_path / "a") == ["out"]
    with pytest.raises(KeyError):
        fail_in_folder(tmp_path / "a" / "other")
    assert names(tmp_path / "a") == ["out"]


def test_of_two_that_write_one_folder_the_first_to_finish_has_it(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not empty"):
        write_both(tmp_path / "out")
    assert (tmp_path / "out" / "file").read_text() == "early"
    assert names(tmp_path) == ["out"]


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for target in (tmp_path / "there", tmp_path / "nowhere", Path()):
        with pytest.raises(OptionError, match="exists; name a new folder"), new_folder(target):
            pass
