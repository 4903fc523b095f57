from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from stages.late_errors import late_errors
from tests.small_disk import small_disk

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_written_is_in_the_file_and_can_be_read_again(tmp_path: Path) -> None:
    with late_errors(tmp_path / "a") as file:
        assert file.write(b"0123456789") == 10
        assert file.seek(2) == 2
        buffer = bytearray(3)
        assert file.readinto(buffer) == 3  # type: ignore[attr-defined]
        assert (bytes(buffer), file.tell()) == (b"234", 5)
        file.truncate(6)
    assert (tmp_path / "a").read_bytes() == b"012345"


def write_too_much(path: Path, after: list[str]) -> None:
    with late_errors(path) as file:
        for _ in range(3):
            assert file.write(bytes(100_000)) == 100_000
        file.flush()
        after.append("all writes seemed to succeed")


def test_an_error_of_the_disk_is_raised_at_the_end_and_names_the_file(tmp_path: Path) -> None:
    after: list[str] = []
    with small_disk(150_000), pytest.raises(OSError, match="File too large") as raised:
        write_too_much(tmp_path / "a", after)
    assert after
    assert (raised.value.errno, raised.value.filename) == (errno.EFBIG, str(tmp_path / "a"))


def test_a_file_that_cannot_be_made_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), late_errors(tmp_path / "none" / "a"):
        pass
