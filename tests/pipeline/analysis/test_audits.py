"""What an audit says, from its sample and its journal or its closed reviews."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.analysis.audits import (
    Progress,
    audit_report,
    concept_names,
    journal_path,
    sample_of,
    told_of,
    write_down,
)
from pipeline.store import catalog
from schemas.errors import ArtifactError, ArtifactNotFoundError
from stages.audit_close import AuditClose
from tests.pipeline.audited import draw, judge, told
from tests.pipeline.helpers import make
from tests.pipeline.toys import WORDS

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact


@pytest.fixture
def audit(root: Path) -> Artifact:
    return draw(root)


def test_the_precision_is_that_of_labels_by_how_many_each_stands_for(audit: Artifact) -> None:
    sample = sample_of(audit)
    verdicts = {place: "right" if place % 3 else "wrong" for place in range(sample.num_rows)}
    judge(audit, verdicts)
    weights = 1 / sample["inclusion"].to_numpy()
    right = sum(w for place, w in enumerate(weights) if place % 3)
    report = audit_report(audit.root, "first")
    assert report.progress.precision.share == pytest.approx(right / weights.sum())
    assert report.progress.precision.labels == pytest.approx(weights.sum())
    assert (report.progress.judged, report.progress.drawn, report.progress.open) == (24, 24, 0)
    assert list(report.strata) == list(dict.fromkeys(sorted_strata(audit)))
    assert report.address == audit.address


def sorted_strata(audit: Artifact) -> list[str]:
    rows = sample_of(audit).sort_by("stratum")
    return rows["stratum_name"].to_pylist()


def test_what_is_open_is_counted_and_left_out(audit: Artifact) -> None:
    judge(audit, {0: "right", 1: "right", 2: "unsure", 3: "wrong-box"})
    judge(audit, {1: "wrong"}, reviewer="ann")
    progress = audit_report(audit.root, "first").progress
    assert (progress.judged, progress.open, progress.precision.judged) == (4, 2, 2)
    sample = sample_of(audit)
    assert Progress.of(sample, told_of(audit.root, audit, sample)) == progress


def test_reviewers_are_compared(audit: Artifact) -> None:
    judge(audit, {0: "right", 1: "right", 2: "wrong"})
    judge(audit, {0: "right", 1: "wrong", 2: "wrong-box"}, reviewer="ann")
    (pair,) = audit_report(audit.root, "first").agreements
    assert (pair.reviewers, pair.labels) == (("", "ann"), 3)
    assert pair.share == pytest.approx(2 / 3)
    assert pair.kappa == pytest.approx((2 / 3 - 4 / 9) / (5 / 9))


def test_closed_reviews_are_read_where_the_journal_is_gone(audit: Artifact) -> None:
    judge(audit, {0: "right", 1: "wrong", 2: "unsure"})
    path = journal_path(audit.root, "first")
    before = audit_report(audit.root, "first").progress
    make(AuditClose(called="first", journal=path), audit.root, {"audits": audit.address})
    path.unlink()
    assert audit_report(audit.root, "first").progress == before


def test_without_judgements_or_without_an_audit_there_is_a_sentence(audit: Artifact) -> None:
    with pytest.raises(ArtifactError, match=r"no label of audits/v1-.* was judged right or wrong"):
        audit_report(audit.root, "first")
    judge(audit, {0: "unsure"})
    with pytest.raises(ArtifactError, match="was judged right or wrong; do so with 'rc view'"):
        audit_report(audit.root, "first")
    with pytest.raises(ArtifactNotFoundError):
        audit_report(audit.root, "second")


def test_a_journal_of_another_audit_is_refused(audit: Artifact) -> None:
    judgement = told(sample_of(audit), 0, "right")
    other = type(judgement)(**{**vars(judgement), "region": judgement.region + 900})
    write_down(audit.root, "first", other)
    with pytest.raises(ArtifactError, match=r"first\.jsonl is not of this audit"):
        audit_report(audit.root, "first")


def test_a_larger_audit_of_the_same_name_keeps_what_was_judged(root: Path) -> None:
    judge(draw(root, size=12), {0: "right", 1: "wrong"})
    larger = draw(root, size=30)
    report = audit_report(root, "first")
    assert report.address == larger.address
    assert (report.progress.judged, report.progress.drawn) == (2, 30)


def test_concepts_are_named_in_strata_too(root: Path) -> None:
    audit = draw(root, by="concept")
    judge(audit, dict.fromkeys(range(24), "right"))
    names = list(audit_report(root, "first").strata)
    assert set(names) <= {*WORDS, "others"}
    assert set(names) & set(WORDS)
    shutil.rmtree(root / "concept_embeddings")
    assert concept_names(catalog.find(root, "audits@first")) == {}
    assert audit_report(root, "first").progress.judged == 24


def test_a_report_is_json_with_the_condition(audit: Artifact) -> None:
    judge(audit, dict.fromkeys(range(24), "right"))
    report = audit_report(audit.root, "first", target=0.5)
    content = json.loads(json.dumps(report.as_json()))
    assert content["where"] == report.where
    assert content["progress"]["precision"]["share"] == 1.0
    assert report.where in report.threshold_sentence()
    assert audit_report(audit.root, "first", target=1.0).where is None


def test_gc_keeps_the_audit_what_it_was_drawn_from_and_its_journal(audit: Artifact) -> None:
    judge(audit, {0: "right"})
    swept = catalog.sweepable(audit.root)
    catalog.sweep(audit.root, swept)
    assert audit_report(audit.root, "first").progress.judged == 1
    assert catalog.made_from(audit, "pseudo_labels")
