from __future__ import annotations

import errno
import fcntl
import hashlib
import multiprocessing
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.store.atomic import (
    exclusively,
    make_folder,
    new_folder,
    publish,
    remove_folder,
    sha256,
    sweep_drafts,
    whole_or_absent,
)
from schemas.errors import DiskFullError, OptionError
from tests.small_disk import small_disk
from tests.waiting import HANG_S, until

if TYPE_CHECKING:
    from types import ModuleType


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
    until(lambda: ready.is_set() or not holder.is_alive(), "the lock was never taken")
    assert ready.is_set()
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
        assert names(tmp_path / "a") == [draft.parent.name]
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


def test_a_folder_is_replaced_only_if_asked(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").touch()
    with new_folder(target, replace=True) as draft:
        (draft / "new").touch()
        assert names(target) == ["old"]
    assert names(target) == ["new"]
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("name", ["replaced", "draft", "old"])
def test_a_folder_of_any_name_is_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name / "old").mkdir(parents=True)
    with new_folder(tmp_path / name, replace=True) as draft:
        (draft / "new").touch()
    assert names(tmp_path / name) == ["new"]
    assert names(tmp_path) == [name]


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what was flushed, in order."""
    paths: list[str] = []

    def note(descriptor: int) -> None:
        paths.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(os, "fsync", note)
    return paths


def test_all_of_a_folder_is_flushed_before_it_has_its_name(
    tmp_path: Path, flushed: list[str]
) -> None:
    (tmp_path / "above").mkdir()
    (tmp_path / "elsewhere").touch()
    with new_folder(tmp_path / "above" / "made" / "out") as draft:
        flushed.clear()
        (draft / "inner").mkdir()
        (draft / "inner" / "file").touch()
        (draft / "link").symlink_to("nowhere")
        (draft / "link to a file").symlink_to(tmp_path / "elsewhere")
        (draft / "link to a folder").symlink_to(tmp_path)
    assert flushed == ["file", "inner", "out", "made"]


def test_a_new_folder_is_flushed_into_the_one_above(tmp_path: Path, flushed: list[str]) -> None:
    make_folder(tmp_path / "a" / "b")
    assert flushed == [tmp_path.name, "a"]
    make_folder(tmp_path / "a" / "b")
    assert len(flushed) == 2


def test_a_folder_that_someone_else_makes_meanwhile_is_as_good_as_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a" / "b"
    monkeypatch.setattr(os, "fsync", lambda descriptor: folder.mkdir(exist_ok=True))
    make_folder(folder)  # when "a" is flushed into the one above, "b" is not there yet
    assert names(tmp_path / "a") == ["b"]


def test_the_first_file_of_a_removed_folder_is_gone_for_good_before_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, seen = tmp_path / "folder", []
    folder.mkdir()
    for name in ("first", "other"):
        (folder / name).touch()
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(names(folder)))
    remove_folder(folder, first="first")
    assert seen == [["other"]]
    assert names(tmp_path) == []
    folder.mkdir()
    (folder / "other").touch()
    remove_folder(folder, first="first")  # of a folder whose first file was gone already
    assert names(tmp_path) == []


def _write_and_die(target: Path) -> None:
    with whole_or_absent(target) as draft:
        draft.write_text("half of i")
        os._exit(0)


def leave_a_draft(target: Path) -> None:
    child = multiprocessing.get_context("fork").Process(target=_write_and_die, args=(target,))
    child.start()
    child.join()


def test_drafts_of_the_dead_are_swept_and_those_of_the_living_stay(tmp_path: Path) -> None:
    leave_a_draft(tmp_path / "a")
    leave_a_draft(tmp_path / "b")
    with whole_or_absent(tmp_path / "a") as living:
        living.write_text("all of it")
        sweep_drafts(tmp_path, "a")
        assert [name[-2:] for name in names(tmp_path) if name != living.parent.name] == [".b"]
        sweep_drafts(tmp_path)
        assert names(tmp_path) == [living.parent.name]
    assert (tmp_path / "a").read_text() == "all of it"


@pytest.mark.parametrize("before", [(os, "open"), (fcntl, "flock")])
def test_a_draft_that_is_swept_before_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: tuple[ModuleType, str]
) -> None:
    call, swept, descriptors = getattr(*before), [], Path("/proc/self/fd")

    def sweep_and_call(*args: Any, **options: Any) -> Any:
        if not swept:
            swept.extend(tmp_path.iterdir())
            swept[0].rmdir()
        return call(*args, **options)

    monkeypatch.setattr(*before, sweep_and_call)
    are_open = len(names(descriptors))
    with whole_or_absent(tmp_path / "file") as draft:
        assert [draft.parent] == list(tmp_path.iterdir()) != swept
        draft.write_text("all of it")
    assert (tmp_path / "file").read_text() == "all of it"
    assert names(tmp_path) == ["file"]
    assert len(names(descriptors)) == are_open


def test_a_draft_that_is_gone_hides_no_error_of_the_block(tmp_path: Path) -> None:
    def lose_it_and_fail() -> None:
        with whole_or_absent(tmp_path / "file") as draft:
            draft.parent.rmdir()
            raise KeyError

    with pytest.raises(KeyError):
        lose_it_and_fail()


def test_the_name_of_a_target_is_no_pattern(tmp_path: Path) -> None:
    leave_a_draft(tmp_path / "x1")
    sweep_drafts(tmp_path, "x[1]")
    assert len(names(tmp_path)) == 1
    leave_a_draft(tmp_path / "x[1]")
    sweep_drafts(tmp_path, "x[1]")
    assert [name[-3:] for name in names(tmp_path)] == [".x1"]


def test_a_new_folder_sweeps_what_a_killed_one_left(tmp_path: Path) -> None:
    leave_a_draft(tmp_path / "out")
    leave_a_draft(tmp_path / "another")
    with new_folder(tmp_path / "out"):
        pass
    assert [name.split(".")[-1] for name in sorted(names(tmp_path))] == ["another", "out"]


def fill(target: Path) -> None:
    with whole_or_absent(target) as draft:
        draft.write_bytes(bytes(10_000))


def test_a_full_disk_is_a_sentence_that_names_the_target(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with small_disk(1000), pytest.raises(DiskFullError, match=rf"full: {tmp_path / 'a'} could not"):
        fill(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def fill_in_folder(target: Path) -> None:
    with new_folder(target) as draft:
        (draft / "file").write_bytes(bytes(10_000))


def test_a_full_disk_is_a_sentence_that_names_the_new_folder(tmp_path: Path) -> None:
    with small_disk(1000), pytest.raises(DiskFullError, match=rf"full: {tmp_path / 'a'} could not"):
        fill_in_folder(tmp_path / "a")
    assert names(tmp_path) == []


def test_a_full_disk_is_a_sentence_that_names_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(path: Path, mode: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "open", no_room)
    lock = tmp_path / "lock"
    with (
        pytest.raises(DiskFullError, match=rf"full: {lock} could not"),
        exclusively(lock, lambda: None),
    ):
        pass
