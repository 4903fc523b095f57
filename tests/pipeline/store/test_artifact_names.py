"""Artifacts are found by what the user called them, and by nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.store.artifact_names import called
from schemas.audits import AUDITS
from schemas.pseudo_labels import PSEUDO_LABELS
from tests.pipeline.audited import draw

if TYPE_CHECKING:
    from pathlib import Path


def test_a_name_is_no_beginning_of_a_hash_and_no_name_of_another_table(root: Path) -> None:
    audit = draw(root)
    assert called(root, AUDITS, "first") == audit
    assert called(root, AUDITS, "second") is None
    assert called(root, AUDITS, audit.manifest.fingerprint[:3]) is None
    assert called(root, PSEUDO_LABELS, "first") is None


def test_one_of_an_older_version_of_the_table_has_its_name_too(root: Path) -> None:
    audit = draw(root)
    newer = replace(AUDITS, version=AUDITS.version + 1)
    assert called(root, newer, "first") == audit
