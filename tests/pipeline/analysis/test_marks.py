"""Marks under a name: where they are, what is refused, and what follows from them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pipeline.analysis.marks import is_audit, marked_labels, marks_path, write_marks
from pipeline.store.journals import journal_path
from schemas.errors import OptionError
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.auditing.journal import Journal, Marks
from tests.pipeline.audited import draw, judge

if TYPE_CHECKING:
    from pathlib import Path


def told(of: str = "pseudo_labels/v1-1") -> Marks:
    return Marks(id=os.urandom(8).hex(), of=of, labels=[("a", 0, 0)], verdict="right")


def test_marks_lie_apart_from_audits(root: Path) -> None:
    write_marks(root, "bulk", told())
    assert marks_path(root, "bulk") == root / "journals" / "marks" / "bulk.jsonl"
    assert marked_labels(root, "bulk") == "pseudo_labels/v1-1"
    assert marked_labels(root, "other") == ""
    assert not journal_path(root, "bulk").exists()


@pytest.mark.parametrize("name", ["", "../bulk", "Bulk", "fade", "a/b", ".bulk"])
def test_only_names_are_files(root: Path, name: str) -> None:
    with pytest.raises(OptionError, match="is no name for marks"):
        write_marks(root, name, told())
    assert not (root / "journals").exists()


def test_an_audit_takes_no_marks(root: Path) -> None:
    audit = draw(root)
    judge(audit, {0: "right"})
    before = journal_path(root, "first").read_bytes()
    assert (is_audit(root, "first"), is_audit(root, "bulk")) == (True, False)
    with pytest.raises(OptionError, match="first is an audit"):
        write_marks(root, "first", told())
    assert journal_path(root, "first").read_bytes() == before
    path = marks_path(root, "first")  # as if the audit had been drawn after them
    path.parent.mkdir()
    Journal(path).append(told())
    with pytest.raises(OptionError, match="both an audit and marks are called first"):
        marked_labels(root, "first")
    assert audit.manifest.inputs[PSEUDO_LABELS.name]
