"""Reviews: the last words of a journal about an audit, as rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.errors import ArtifactError, OptionError
from schemas.reviews import REVIEWS
from stages.audit_close import AuditClose
from stages.auditing.journal import Journal, Judgement
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
