"""`rc` in this process, with toys for stages."""

from __future__ import annotations

import logging
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pipeline.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass
class CommandResult:
    """What a command answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def rc(
    toy_verbs: None, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., CommandResult]]:
    """Run one command on the store of the test, an empty folder at first."""
    root.mkdir(exist_ok=True)
    monkeypatch.setenv("RC_STORE", str(root))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*words: object) -> CommandResult:
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        return CommandResult(int(left.value.code or 0), out, err)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)
    logging.getLogger("pipeline").setLevel(logging.NOTSET)
