"""What a command prints on a terminal of a given width."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from typing import TYPE_CHECKING

from tests.pipeline.helpers import ROOT, command

if TYPE_CHECKING:
    from pathlib import Path


def shown_at(width: int, root: Path, *words: str) -> list[str]:
    """Lines that `rc sql` prints on a terminal of `width` columns, without styles."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    words_of_rc = command("sql", *words, "--store", root)
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    environment["TERM"] = "xterm"
    with subprocess.Popen(
        words_of_rc, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ):
        os.close(theirs)
        return re.sub(r"\x1b\[[0-9;]*m", "", read_all(ours)).splitlines()


def read_all(terminal: int) -> str:
    output = b""
    while True:
        try:
            output += os.read(terminal, 4096)
        except OSError:  # the process has ended
            os.close(terminal)
            return output.decode()
