"""Whether a node is one of ours: it sees the store that the driver sees, and runs its program."""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGES: Final = ("pipeline", "stages", "schemas")
_CODE: Final = (".py", ".sql", ".toml")


@dataclass(frozen=True, slots=True)
class NodeProbe:
    """What the driver left in the folder where parts go, and the program that it runs.

    Attributes:
        path: A file in that folder.
        content: What it says; nobody else writes the same.
        program: As `program` says on the driver's machine.
    """

    path: Path
    content: str
    program: str

    def objection(self, who: str) -> str:
        """Why this machine cannot work, in a sentence that `who` begins; empty if it can."""
        if (here := program()) != self.program:
            return (
                f"{who} has {here} of this program, and the machine of this command has "
                f"{self.program}: install the same on both"
            )
        folder = self.path.parent
        advice = "mount the store at the same path on every node, or leave the node out"
        try:
            content = self.path.read_text("utf-8")
        except FileNotFoundError:
            seen = "lacks what was just written there" if folder.is_dir() else "is not there"
            return f"{who} does not see the same store: its {folder} {seen}; {advice}"
        except (OSError, ValueError) as error:
            return f"{who} cannot read the store at {folder}: {error}; {advice}"
        if content != self.content:
            return f"{who} sees another file at {self.path} than was written; {advice}"
        return ""


@contextmanager
def probe_left(folder: Path) -> Iterator[NodeProbe]:
    """Leave a probe in a folder for the block; hidden, so that what is left of it is swept."""
    name = uuid4().hex
    path = folder / f".probe-{name}"
    path.write_text(name, "utf-8")
    try:
        yield NodeProbe(path, name, program())
    finally:
        path.unlink(missing_ok=True)


def without_program(trace: str) -> str:
    """What is said of a node that could not even load a worker.

    Args:
        trace: What Ray says of it: `ip=10.0.0.7` among much else, and what was raised at the end.
    """
    found = re.search(r"\bip=([^\s,)]+)", trace)
    node = found.group(1) if found else "unknown"
    why = trace.strip().splitlines()[-1]
    return f"node {node} cannot load this program ({why}): install the same on every node"


@cache
def program() -> str:
    """Version of this program with a digest of its code, by which two checkouts differ."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        spec = find_spec(package)
        root = Path(spec.origin).parent if spec and spec.origin else Path()
        for path in sorted(p for p in root.rglob("*") if p.suffix in _CODE and p.is_file()):
            digest.update(f"{package}/{path.relative_to(root).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return f"version {_version()} (code {digest.hexdigest()[:8]})"


def _version() -> str:
    try:
        return version("regionclip-toolkit")
    except PackageNotFoundError:
        return "unknown"
