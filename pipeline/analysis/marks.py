"""Marks: what people say of many labels at once, under a name of their own, in a journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.analysis.audits import append
from pipeline.store.artifact_names import called
from pipeline.store.journals import journal_path
from schemas.audits import AUDITS
from schemas.errors import OptionError
from stages.artifact_name import check_artifact_name
from stages.auditing.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path

    from stages.auditing.journal import Marks


def marks_path(root: Path, name: str) -> Path:
    """Where marks of a name are written, apart from the journals of audits."""
    path = journal_path(root, name)
    return path.parent / "marks" / path.name


def write_marks(root: Path, name: str, marks: Marks) -> None:
    """Append to the marks of a name; they are on the disk when this returns.

    Raises:
        OptionError: If it is no name, or that of an audit, or earlier marks are of other labels.
        OSError: If they cannot be written.
    """
    check_artifact_name("view", name, "marks")
    path = marks_path(root, name)
    if is_audit(root, name):
        raise OptionError(f"{name} is an audit, whose labels were drawn; mark under another name")
    append(path, marks)


def marked_labels(root: Path, name: str) -> str:
    """The address of the pseudo-labels that marks of a name are of; empty if there are none.

    Raises:
        OptionError: If an audit has the same name.
    """
    path = marks_path(root, name)
    address = Journal(path).marked()
    if address and is_audit(root, name):
        raise OptionError(
            f"both an audit and marks are called {name}: give {path} another name, and close that"
        )
    return address


def is_audit(root: Path, name: str) -> bool:
    """Whether an audit has this name."""
    return called(root, AUDITS, name) is not None
