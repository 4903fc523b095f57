"""What the user types: `rc`, its verbs, and how errors reach people."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

from schemas.errors import RCError

# Threads that wait for each other by spinning waste the cores of everybody else: on a busy machine
# a training step took three times as long. Read by the OpenMP runtime when torch is first loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from types import FrameType


class _Interrupted(BaseException):
    """Ctrl-C or a polite kill; not a KeyboardInterrupt, which Typer would keep to itself."""


def main(arguments: list[str] | None = None) -> None:
    """Run `rc`; the one place where an error becomes a sentence and an exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, _interrupt)
    if "--debug" in words:
        _tell_more()
    try:
        from pipeline.cli.app import make_app

        make_app(words)(args=words, prog_name="rc")
    except (_Interrupted, RCError, RuntimeError, OSError) as error:
        _tell(error, words)


def _tell(error: BaseException, words: list[str]) -> NoReturn:
    """End with a sentence about an error that was caught; what has none goes on its way."""
    debug = "--debug" in words
    by_duckdb = isinstance(error, RuntimeError) and "Query interrupted" in str(error)
    if isinstance(error, _Interrupted) or by_duckdb:  # which is what DuckDB makes of a signal
        _stopped(words)
    if isinstance(error, RCError):
        _fail(str(error), 1, debug=debug)
    if isinstance(error, OSError) and error.errno is not None and not debug:
        place = f" ({error.filename})" if error.filename else ""
        _fail(f"{error.strerror}{place}. Finished parts are kept: mend it and run again.", 1)
    raise error


def _stopped(words: list[str]) -> NoReturn:
    from pipeline.verbs import VERBS

    if words and words[0] in (*VERBS, "run", "demo"):
        command = shlex.join(["rc", *words])
        _fail(f"interrupted; finished parts are kept. To resume: {command}", 130)
    _fail("interrupted", 130)


def _tell_more() -> None:
    """Show what the pipeline logs, such as where in a part an error arose."""
    import logging

    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    logging.getLogger("pipeline").setLevel(logging.DEBUG)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise _Interrupted


def _fail(sentence: str, code: int, *, debug: bool = False) -> NoReturn:
    if debug:
        raise
    sys.stdout.flush()
    sys.stderr.write(f"error: {sentence}\n" if code != 130 else f"{sentence}\n")
    sys.stderr.flush()
    if code == 130:
        _leave_soon(code)
    raise SystemExit(code)


def _leave_soon(code: int) -> None:
    """Make sure that the process ends: at a second Ctrl-C, or when some thread will not."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(code))
    late = threading.Timer(5, os._exit, [code])
    late.daemon = True
    late.start()
