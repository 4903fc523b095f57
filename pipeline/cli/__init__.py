"""The command line: `rc`, its verbs, and how errors are shown."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

from schemas.errors import RCError

# Threads that spin while they wait take cores from other processes: on a busy machine a training
# step took three times as long. The OpenMP runtime reads this when torch is first loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from types import FrameType


_OF_ITSELF = {"-h", "--help", "--version"}
_READ_JSON = ("status", "gc")  # and need no pyarrow either


class _Interrupted(BaseException):
    """Ctrl-C or SIGTERM; not a KeyboardInterrupt, because Typer would catch that."""


def main(arguments: list[str] | None = None) -> None:
    """Run `rc`; the one place where an error becomes a sentence and an exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    if "--debug" in words:
        _enable_logging()
    try:
        from pipeline.cli.app import make_app

        if words and words[0] not in _READ_JSON and not _OF_ITSELF & {*words}:
            from pipeline.store.pandas_import import leave_pandas_out

            leave_pandas_out()
        make_app(_words_to_complete() or words)(args=words, prog_name="rc")
    except (_Interrupted, RCError, RuntimeError, OSError) as error:
        _report(error, words)


def _words_to_complete() -> list[str]:
    """The command line that a shell asks to complete; its verb must know its options."""
    if "_RC_COMPLETE" not in os.environ:
        return []
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or ""
    return line.split()[1:]


def _report(error: BaseException, words: list[str]) -> NoReturn:
    """Exit with a sentence about the error; unexpected errors are raised again."""
    from pipeline.store.disk_full import is_full, sentence
    from stages.memory import is_out_of_memory
    from stages.memory import sentence as memory_sentence

    debug = "--debug" in words
    in_duckdb = isinstance(error, RuntimeError) and "Query interrupted" in str(error)
    if isinstance(error, _Interrupted) or in_duckdb:  # DuckDB turns a signal into this error
        _exit_interrupted(words)
    if isinstance(error, RCError):
        _fail(str(error), 1, debug=debug)
    if is_full(error):
        _fail(sentence(getattr(error, "filename", None) or "a file"), 1, debug=debug)
    if is_out_of_memory(error):
        _fail(memory_sentence(error), 1, debug=debug)
    if isinstance(error, OSError) and error.errno is not None and not debug:
        path = f" ({error.filename})" if error.filename else ""
        advice = "Finished parts are kept: fix the problem and run the command again."
        _fail(f"{error.strerror}{path}. {advice}", 1)
    raise error


def _exit_interrupted(words: list[str]) -> NoReturn:
    from pipeline.verbs import VERBS

    verbs = {*VERBS, "run", "demo", "push", "pull"}
    if verbs & {" ".join(words[:1]), " ".join(words[:2])}:
        command = shlex.join(["rc", *words])
        _fail(f"interrupted; finished parts are kept. To resume: {command}", 130)
    _fail("interrupted", 130)


def _enable_logging() -> None:
    """Show the log of the pipeline, for example the part and the traceback of an error."""
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
        _exit_soon(code)
    raise SystemExit(code)


def _exit_soon(code: int) -> None:
    """Make sure that the process ends: at a second Ctrl-C, or after 5 s if a thread hangs."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(code))
    timer = threading.Timer(5, os._exit, [code])
    timer.daemon = True
    timer.start()
