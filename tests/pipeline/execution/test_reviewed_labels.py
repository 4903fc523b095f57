"""Reviews in a store: what people decided takes part, whatever the condition."""

from __future__ import annotations

import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.analysis.audits import sample_of
from pipeline.store import catalog
from pipeline.store.journals import journal_path
from schemas.errors import ArtifactError
from schemas.reviews import VERDICTS
from stages.audit_close import AuditClose
from stages.select import Select
from stages.selecting.decisions import decisions
from stages.suspect import Suspect
from tests.pipeline.audited import draw, judge
from tests.pipeline.helpers import make, rows_of
from tests.pipeline.toys import WORDS, Featurize, Label, Propose

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

pytestmark = pytest.mark.slow


def close(audit: Artifact) -> Artifact:
    stage = AuditClose(called="first", journal=journal_path(audit.root, "first"))
    return make(stage, audit.root, {"audits": audit.address})


def keys(rows: Any) -> list[tuple[str, int]]:
    return list(zip(rows["image_id"].to_pylist(), rows["region"].to_pylist(), strict=True))


def pool_of(labels: Artifact) -> dict[str, int]:
    rows = rows_of(catalog.made_from(labels, "concept_embeddings"))
    return dict(zip(rows["concept"].to_pylist(), rows["concept_id"].to_pylist(), strict=True))


def judge_at_random(audit: Artifact, pool: dict[str, int]) -> None:
    rng = np.random.default_rng()
    for reviewer in ("ann", "bob", "eve"):
        for place in range(sample_of(audit).num_rows):
            verdict = str(rng.choice(VERDICTS))
            named = verdict.startswith("wrong") and rng.random() < 0.4
            name = str(rng.choice([*pool, "a yeti"])) if named else None
            judge(audit, {place: verdict}, reviewer=reviewer, concept=name)


def test_decided_labels_are_in_or_out_whatever_the_condition(root: Path) -> None:
    """Random verdicts of three reviewers: the condition in SQL and the decision agree."""
    audit = draw(root)
    labels = catalog.parents(audit)["pseudo_labels"]
    pool = pool_of(labels)
    judge_at_random(audit, pool)
    reviews = close(audit)
    pins = {"reviews": reviews.address}
    selected = make(Select(called="mended", where="region = 1"), root, pins)
    assert catalog.parents(selected)["pseudo_labels"] == labels
    decided, rows = decisions(rows_of(reviews), pool), rows_of(labels)
    expected = []
    for key, concept in zip(keys(rows), rows["concept_id"].to_pylist(), strict=True):
        decision = decided.of.get(key)
        if decision is None:
            expected += [(key, concept, None)] if key[1] == 1 else []
        elif decision.concept_id is not None:
            word = "right" if decision.concept_id == concept else "renamed"
            expected.append((key, decision.concept_id, word))
    rows = rows_of(selected)
    got = zip(keys(rows), rows["concept_id"].to_pylist(), rows["reviewed"].to_pylist(), strict=True)
    assert list(got) == expected
    assert set(rows["kept"].to_pylist()) == {True}
    counts = Counter(word for _, _, word in expected if word)
    noted = selected.manifest.notes["reviewed"]
    assert {name: n for name, n in noted.items() if name != "left out"} == counts
    assert selected.manifest.inputs["reviews"] == reviews.address


def test_reviews_alone_may_select(root: Path) -> None:
    audit = draw(root)
    judge(audit, {0: "right"})
    reviews = close(audit)
    selected = make(Select(called="sure", where="false"), root, {"reviews": reviews.address})
    assert keys(rows_of(selected)) == keys(sample_of(audit))[:1]


def test_reviews_hold_for_labels_made_anew_of_the_same_regions(root: Path) -> None:
    audit = draw(root)
    judge(audit, dict.fromkeys(range(10), "right"))
    reviews = close(audit)
    again = make(Label(temperature=7.0), root)
    assert again != catalog.parents(audit)["pseudo_labels"]
    pins = {"reviews": reviews.address, "pseudo_labels": again.address}
    selected = make(Select(called="mended", where="false"), root, pins)
    assert Counter(rows_of(selected)["reviewed"].to_pylist()) == {"right": 10}


def test_reviews_of_other_regions_are_refused(root: Path) -> None:
    audit = draw(root)
    judge(audit, {0: "right"})
    reviews = close(audit)
    make(Propose(regions=5), root)
    make(Featurize(), root)
    other = make(Label(), root)
    pins = {"reviews": reviews.address, "pseudo_labels": other.address}
    with pytest.raises(
        ArtifactError, match=r"--reviews .* not made of the same proposals and concepts"
    ):
        make(Select(called="mended"), root, pins)


def test_reviews_are_refused_where_nobody_can_tell_what_their_numbers_mean(root: Path) -> None:
    audit = draw(root)
    judge(audit, {0: "right"})
    reviews = close(audit)
    shutil.rmtree(catalog.parents(audit)["pseudo_labels"].path)
    make(Label(temperature=7.0), root)
    with pytest.raises(ArtifactError, match="not in the store any more"):
        make(Select(called="mended"), root, {"reviews": reviews.address})


def test_suspicions_of_the_teachers_labels_are_not_those_of_mended_ones(root: Path) -> None:
    audit = draw(root)
    judge(audit, {0: "wrong"}, concept=WORDS[2])
    reviews = close(audit)
    suspicions = make(Suspect(), root)
    mended = make(Select(called="mended"), root, {"reviews": reviews.address})
    pins = {"pseudo_labels": mended.address, "suspicions": suspicions.address}
    with pytest.raises(ArtifactError, match="were made of pseudo_labels/"):
        make(Select(called="calm", where="suspicion < 0.5"), root, pins)
    anew = rows_of(make(Suspect(), root, {"pseudo_labels": mended.address}))
    keys_reviewed = set(keys(rows_of(mended).filter(rows_of(mended)["reviewed"].is_valid())))
    scores = dict(zip(keys(anew), anew["suspicion"].to_pylist(), strict=True))
    assert keys_reviewed
    assert all(scores[key] == 0 for key in keys_reviewed)
