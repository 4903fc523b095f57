"""Commands in forked children: as fresh as a new process, without seconds of imports in each."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
import tempfile
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.cli import main
from pipeline.cli.app import make_app
from pipeline.store.warning import warn

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_S: Final = 1200  # a child that takes longer is ended, even on a machine that is busy
_HEAVY: Final = ("duckdb", "faiss", "h5py", "open_clip", "pyarrow.parquet", "torch")


@dataclass(frozen=True)
class End:
    """How a child ended: its exit code (128 and the signal that ended it), what it wrote.

    `peak_mb` is the most memory that it held, with what it shares with its parent.
    """

    code: int
    out: str
    err: str
    seconds: float
    peak_mb: float


def warm(modules: tuple[str, ...] = ()) -> None:
    """Import what children need, and use none of it: threads do not survive a fork."""
    for name in (*_HEAVY, *modules):
        importlib.import_module(name)
    make_app([], load_all=True)


class Child:
    """A child at work, which shares nothing with others but files."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._texts = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115 - `end` closes
        self._process = os.fork()
        if not self._process:
            os._exit(_act(act, *(text.fileno() for text in self._texts)))

    def end(self) -> End:
        """Wait for its end."""
        _, status, usage = os.wait4(self._process, 0)
        said = []
        for text in self._texts:
            text.seek(0)
            said.append(text.read().decode(errors="replace"))
            text.close()
        code = os.waitstatus_to_exitcode(status)
        seconds = usage.ru_utime + usage.ru_stime
        code = 128 - code if code < 0 else code
        return End(code, said[0], said[1], seconds, usage.ru_maxrss / 1024)


def forked(act: Callable[[], object]) -> End:
    """Do something in a child, and wait for its end."""
    return Child(act).end()


def rc(*words: object) -> End:
    """Run `rc` in a child."""
    return forked(lambda: main([str(word) for word in words]))


def _act(act: Callable[[], object], out: int, err: int) -> int:
    """In the child: the exit code of what it does."""
    signal.alarm(_LONGEST_S)
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    logging.getLogger().handlers.clear()  # those of the parent take warnings from standard error
    warn.cache_clear()
    try:
        act()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    else:
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    return code
