"""Reviews: the last words of a journal about an audit, as rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.errors import ArtifactError, OptionError
from schemas.reviews import REVIEWS
from stages.audit_close import AuditClose
from stages.auditing.journal import Journal, Judgement, Marks
from stages.outcome import Result
from tests.in_memory import InMemory
from tests.stages.test_audit_draw import drawn, labels

if TYPE_CHECKING:
    import pyarrow as pa


@pytest.fixture
def sample() -> pa.Table:
    return drawn(labels(np.random.default_rng(), 200), size=12, strata=3)


def told(sample: pa.Table, row: int, verdict: str, **more: object) -> Judgement:
    names = ("image_id", "region", "concept_id")
    label = {name: sample[name][row].as_py() for name in names}
    content = {"id": f"{row} {verdict} {more}", **label, "verdict": verdict, **more}
    return Judgement(**content)  # type: ignore[arg-type]


def close(sample: pa.Table, path: Path) -> tuple[list[dict[str, object]], InMemory]:
    part = InMemory({"audits": sample})
    (rows,) = AuditClose(called="first", journal=path).run(part)
    REVIEWS.check(rows)
    return rows.to_pylist(), part


def test_the_last_words_of_every_reviewer_are_rows(sample: pa.Table, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "first.jsonl")
    for judgement in (
        told(sample, 0, "right"),
        told(sample, 0, "wrong", concept="cup", time="2026-01-31T12:00:00+01:00"),
        told(sample, 0, "right", reviewer="ann"),
        told(sample, 5, "unsure"),
    ):
        journal.append(judgement)
    rows, part = close(sample, journal.path)
    said = [(row["reviewer"], row["verdict"], row["concept"]) for row in rows]
    assert said == [("", "wrong", "cup"), ("ann", "right", None), ("", "unsure", None)]
    assert rows[0]["time"].isoformat() == "2026-01-31T11:00:00+00:00"  # type: ignore[attr-defined]
    assert part.notes == {"drawn": 12, "judged": 2}


def test_a_judgement_of_another_sample_is_refused(sample: pa.Table, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "first.jsonl")
    other = told(sample, 0, "right")
    journal.append(Judgement(**{**vars(other), "concept_id": other.concept_id + 1}))
    with pytest.raises(ArtifactError, match=r"first.jsonl is not of this audit: region"):
        close(sample, journal.path)


def test_without_a_journal_nothing_was_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"no label of audits@first was judged yet .*page Audit"):
        AuditClose(called="first", journal=tmp_path / "first.jsonl").digests()


def test_the_journal_decides_the_fingerprint(sample: pa.Table, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "first.jsonl")
    journal.append(told(sample, 0, "right"))
    stage = AuditClose(called="first", journal=journal.path)
    before = stage.digests()
    journal.append(told(sample, 1, "right"))
    assert stage.digests() != before


def test_the_outcome_says_how_many_were_judged() -> None:
    stage = AuditClose(called="first")
    outcome = stage.outcome(Result(3, {}, {"drawn": 12, "judged": 2}))
    assert outcome.summary == ["2 of 12 labels judged, in 3 reviews"]
    assert stage.outcome(Result(0, {}, {"drawn": 12})).empty == "0 of 12 labels judged"


def test_marks_in_bulk_are_rows_if_they_are_of_these_labels(tmp_path: Path) -> None:
    rows = labels(np.random.default_rng(), 40)
    journal = Journal(tmp_path / "bulk.jsonl")
    names = ("image_id", "region", "concept_id")
    keys = [tuple(rows[name][row].as_py() for name in names) for row in (3, 8, 21)]
    more = {"of": "pseudo_labels/v1-1", "reviewer": "ann"}
    journal.append(Marks(id="1", labels=keys, verdict="right", **more))  # type: ignore[arg-type]
    journal.append(Marks(id="2", labels=keys[:1], verdict="wrong", concept="cup", **more))  # type: ignore[arg-type]
    stage = AuditClose(called="bulk", journal=journal.path, marked=True)
    assert set(stage.requires()) == {"pseudo_labels"}
    part = InMemory({"pseudo_labels": rows})
    (found,) = stage.run(part)
    REVIEWS.check(found)
    said = {(r["image_id"], r["region"], r["verdict"], r["concept"]) for r in found.to_pylist()}
    assert said == {
        *((image, region, "right", None) for image, region, _ in keys[1:]),
        (*keys[0][:2], "wrong", "cup"),
    }
    assert stage.outcome(Result(3, {}, part.notes)).summary == ["3 labels marked, in 3 reviews"]
    with pytest.raises(ArtifactError, match=r"bulk.jsonl is not of these pseudo_labels: they have"):
        list(stage.run(InMemory({"pseudo_labels": rows[:20]})))


def test_marks_do_not_change_the_fingerprint_of_audits() -> None:
    assert "marked" not in AuditClose(called="first", journal=Path("x")).recipe()
    assert set(AuditClose(called="first", journal=Path("x")).requires()) == {"audits"}
