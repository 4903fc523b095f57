from __future__ import annotations

import errno
from pathlib import Path

import pytest

from pipeline.store.disk_full import room_for
from schemas.errors import DiskFullError


def fail_with(error: Exception, cause: Exception | None = None) -> None:
    with room_for(Path("store/images")):
        raise error from cause


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "whatever the language"),
        OSError(errno.EDQUOT, "whatever the language"),
        RuntimeError("IO Error: Could not write to file: No space left on device"),
        ValueError("I/O error: No space left on device (os error 28)"),
        OSError("[Errno 28] Error writing bytes. Detail: No space left on device"),
    ],
)
def test_however_a_full_disk_is_told_it_is_one_sentence(error: Exception) -> None:
    for told, cause in ((error, None), (KeyError("something else"), error)):
        with pytest.raises(DiskFullError) as raised:
            fail_with(told, cause)
        assert str(raised.value) == (
            "the disk or the quota is full: store/images could not be written. Make room, then "
            "run the same command again."
        )


def test_other_errors_stay_what_they_are() -> None:
    for error in (OSError(errno.EACCES, "No space left on device"), RuntimeError("no")):
        with pytest.raises(type(error)) as raised:
            fail_with(error)
        assert raised.value is error


def test_the_place_nearest_to_the_error_is_named() -> None:
    with pytest.raises(DiskFullError, match="store/images could not"), room_for(Path("store")):
        fail_with(OSError(errno.ENOSPC, "full"))
