"""Calls of a watched process: all are seen, also those of libraries in C, and can be refused.

Each trial forks, so it runs in a new process: one that ran other tests has threads and libraries
that do not survive a fork.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeVar

import pytest

from benchmarks.reliability.power_loss import EMPTY, ZEROS, Flushed
from benchmarks.reliability.syscalls import KILL, PASS, SKIP, Call, Ended, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is of Linux")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "trial" / "tmp").mkdir(parents=True)
    return tmp_path / "trial"


def in_new_process(trial: Callable[[Path], T], folder: Path) -> T:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(trial, folder).result()


def watch_all_calls(folder: Path) -> tuple[Ended, list[str], list[bool]]:
    """How it ended, the calls that were seen, and whether their files were there before them."""
    seen: list[Call] = []
    there: list[bool] = []

    def work() -> None:
        (folder.parent / "elsewhere").write_text("not seen")
        (folder / "new").mkdir()
        with (folder / "new" / "a").open("w") as file:
            file.write("text")
            file.flush()
            os.fsync(file.fileno())
        os.chdir(folder)
        os.rename("new/a", "new/b")  # noqa: PTH104
        (folder / "new" / "b").unlink()
        sys.stdout.write("done\n")

    def answer(call: Call) -> int:
        seen.append(call)
        there.append(call.path.exists())
        return PASS

    ended = run(work, folder, answer)
    return ended, [f"{call.name} {call.path.relative_to(folder)}" for call in seen], there


def test_calls_are_seen_before_they_happen_and_none_of_other_folders(folder: Path) -> None:
    ended, seen, there = in_new_process(watch_all_calls, folder)
    assert (ended.code, ended.output) == (0, "done\n")
    expected = ["mkdir new", "open new/a", "write new/a", "fsync new/a", "rename new/b"]
    assert seen == [*expected, "unlink new/b"]
    assert there == [False, False, True, True, False, True]


def write_two(folder: Path, answer: Callable[[Call], int]) -> Ended:
    def work() -> None:
        for name in ("a", "b"):
            (folder / name).write_text(name)

    return run(work, folder, answer)


def kill_before_b(folder: Path) -> Ended:
    return write_two(folder, lambda call: KILL if call.path.name == "b" else PASS)


def test_a_process_is_killed_before_a_call(folder: Path) -> None:
    assert in_new_process(kill_before_b, folder).code == -signal.SIGKILL
    assert (folder / "a").read_text() == "a"
    assert not (folder / "b").exists()


def refuse_writes(folder: Path) -> Ended:
    return write_two(folder, lambda call: errno.ENOSPC if call.name == "write" else PASS)


def skip_all_calls(folder: Path) -> Ended:
    def flush() -> None:
        os.fsync(os.open(folder / "a", os.O_RDONLY))
        os.unlink(folder / "a")  # noqa: PTH108

    return run(flush, folder, lambda call: SKIP)


def test_a_call_can_be_refused_or_skipped(folder: Path) -> None:
    ended = in_new_process(refuse_writes, folder)
    assert ended.code == 70
    assert "No space left on device" in ended.output
    assert (folder / "a").read_text() == ""
    assert in_new_process(skip_all_calls, folder).code == 0
    assert (folder / "a").exists()


def test_a_power_cut_leaves_what_was_flushed(folder: Path, tmp_path: Path) -> None:
    (folder / "old").write_text("old")
    (folder / "gone").write_text("gone")
    flushed = Flushed(folder)
    for name in ("sure", "half", "renamed"):
        (folder / name).write_text(name)
    flushed.flush(folder / "sure")
    flushed.flush(folder / "renamed")
    flushed.flush(folder)
    (folder / "sure").write_text("sure, and more")
    (folder / "renamed").replace(folder / "old")
    (folder / "gone").unlink()
    (folder / "late").mkdir()
    (folder / "late" / "file").write_text("x")
    flushed.flush(folder / "late" / "file")
    for state, kept, filling in (("a", True, ZEROS), ("b", True, EMPTY), ("c", False, EMPTY)):
        flushed.cut(tmp_path / state, names_kept=kept, filling=filling)
    flushed.close()

    def contents(state: str) -> dict[str, bytes]:
        files = (path for path in (tmp_path / state).rglob("*") if path.is_file())
        return {str(path.relative_to(tmp_path / state)): path.read_bytes() for path in files}

    kept = {"sure": b"sure", "half": b"", "old": b"renamed", "late/file": b"x"}
    assert contents("b") == kept
    assert contents("a") == {**kept, "half": bytes(4)}
    names = {"old": b"old", "gone": b"gone", "renamed": b"renamed"}
    assert contents("c") == {**names, "sure": b"sure", "half": b""}
