"""Suspicions in a store: which inputs belong together, and conditions on what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pytest

from pipeline import sql
from pipeline.execution import inputs
from schemas.errors import ArtifactError, QueryError
from stages.audit_draw import AuditDraw
from stages.select import Select
from stages.suspect import Suspect
from tests.pipeline.helpers import make, make_all, rows_of
from tests.pipeline.toys import (
    EmbedConcepts,
    ExtractConcepts,
    Featurize,
    Label,
    LabelFromImages,
    Pretrain,
    Propose,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

pytestmark = pytest.mark.slow


@pytest.fixture
def made(root: Path) -> dict[str, Artifact]:
    artifacts = make_all(root, count=20)
    artifacts["suspicions"] = make(Suspect(), root)
    return artifacts


def test_suspicions_have_a_row_for_each_label(made: dict[str, Artifact]) -> None:
    rows, labels = rows_of(made["suspicions"]), rows_of(made["pseudo_labels"])
    for name in ("image_id", "region", "concept_id"):
        assert rows[name].equals(labels[name])
    assert made["suspicions"].manifest.inputs["features"] == made["features"].address
    assert rows["neighbours_differ"].null_count < rows.num_rows


def test_a_condition_may_use_suspicions_that_are_named(
    root: Path, made: dict[str, Artifact]
) -> None:
    pins = {"suspicions": made["suspicions"].address}
    limit = pc.quantile(rows_of(made["suspicions"])["suspicion"], 0.5)[0].as_py()
    where = f"suspicion <= {limit} AND fault IN ('swapped', 'misplaced', 'overlooked')"
    selected = make(Select(called="calm", where=where), root, pins)
    rows = rows_of(made["suspicions"])
    expected = rows.filter(pc.less_equal(rows["suspicion"], limit))
    assert 0 < expected.num_rows < rows.num_rows
    assert (
        rows_of(selected)
        .select(["image_id", "region"])
        .equals(expected.select(["image_id", "region"]))
    )
    drawn = make(AuditDraw(called="first", size=5, strata=1, where=where), root, pins)
    keys = set(zip(*expected.select(["image_id", "region"]).to_pydict().values(), strict=True))
    chosen = rows_of(drawn).select(["image_id", "region"]).to_pydict().values()
    assert set(zip(*chosen, strict=True)) <= keys
    assert selected.manifest.inputs["suspicions"] == made["suspicions"].address


def test_without_them_the_columns_are_unknown_and_a_sentence_says_how_to_have_them(
    root: Path, made: dict[str, Artifact]
) -> None:
    with pytest.raises(QueryError, match="and with --suspicions those of suspicions"):
        make(Select(called="calm", where="suspicion < 0.5"), root)
    pins = {"suspicions": made["suspicions"].address}
    with pytest.raises(QueryError, match=r"The columns for --where are .*suspicion"):
        make(Select(called="calm", where="suspiciom < 0.5"), root, pins)
    with pytest.raises(QueryError, match="holds for no row"):
        make(Select(called="calm", where="suspicion > 1"), root, pins)


def test_suspicions_of_other_labels_are_refused(root: Path, made: dict[str, Artifact]) -> None:
    other = make(Label(temperature=0.5), root)
    pins = {"suspicions": made["suspicions"].address, "pseudo_labels": other.address}
    with pytest.raises(ArtifactError, match=r"--suspicions .* were made of pseudo_labels/"):
        inputs.resolve(Select(called="x", where="suspicion > 0"), pins, root)
    own = {"pseudo_labels": made["pseudo_labels"].address}
    chosen = make(Select(called="some", where="region = 0"), root, own)
    pins["pseudo_labels"] = chosen.address  # the same rows, though fewer
    assert inputs.resolve(Select(called="x", where="suspicion > 0"), pins, root)


def test_suspicions_of_some_labels_say_nothing_of_others(
    root: Path, made: dict[str, Artifact]
) -> None:
    own = {"pseudo_labels": made["pseudo_labels"].address}
    some = make(Select(called="some", where="region = 0"), root, own)
    fewer = make(Select(called="fewer"), root, {"pseudo_labels": some.address})
    scored = make(Suspect(), root, {"pseudo_labels": some.address})
    select = Select(called="x", where="suspicion > 0")
    for labels in (some, fewer):
        pins = {"suspicions": scored.address, "pseudo_labels": labels.address}
        assert inputs.resolve(select, pins, root)["suspicions"].path == scored.path
    with pytest.raises(ArtifactError, match=r"--suspicions .* were made of pseudo_labels/"):
        inputs.resolve(select, {**own, "suspicions": scored.address}, root)
    limited = make(Suspect(limit=3), root, own)
    with pytest.raises(ArtifactError, match=r"--suspicions .* was made with --limit 3"):
        inputs.resolve(select, {**own, "suspicions": limited.address}, root)


def test_labels_are_compared_by_features_of_their_own_boxes_or_by_none(
    root: Path, made: dict[str, Artifact]
) -> None:
    boxes = make(Propose(regions=2), root).address
    pins = {"images": made["images"].address, "teacher": made["students"].address}
    pins["embeddings"] = made["concept_embeddings"].address
    labels = make(LabelFromImages(from_images=True), root, {**pins, "proposals": boxes})
    resolved = inputs.resolve(Suspect(), {"pseudo_labels": labels.address}, root)
    assert "features" not in resolved  # not those that the student's labels were made of
    named = {"pseudo_labels": labels.address, "features": made["features"].address}
    with pytest.raises(ArtifactError, match=r"whose regions have the same numbers and other boxes"):
        inputs.resolve(Suspect(), named, root)


def test_other_labels_come_from_any_teacher_but_of_the_same_regions(
    root: Path, made: dict[str, Artifact]
) -> None:
    same = {name: made[name].address for name in ("images", "proposals", "concepts")}
    teacher = make(Pretrain(seed=9), root, {"images": same["images"]}).address
    embeddings = make(EmbedConcepts(), root, {"concepts": same["concepts"], "teacher": teacher})
    seen = {"images": same["images"], "teacher": teacher}
    features = make(Featurize(), root, {**seen, "proposals": same["proposals"]})
    pins = {"features": features.address, "embeddings": embeddings.address}
    other = make(Label(), root, pins)
    own = {"pseudo_labels": made["pseudo_labels"].address, "against": other.address}
    resolved = inputs.resolve(Suspect(), own, root)
    assert resolved["features"].path == made["features"].path  # not those of the other teacher
    assert resolved["embeddings"].path == made["concept_embeddings"].path
    rows = rows_of(make(Suspect(), root, own))
    assert rows["others_disagree"].null_count < rows.num_rows
    boxes = make(Propose(regions=2), root, {"images": same["images"]})
    features = make(Featurize(), root, {**seen, "proposals": boxes.address})
    other = make(Label(), root, {**pins, "features": features.address})
    with pytest.raises(ArtifactError, match=r"--against .* different proposals"):
        inputs.resolve(Suspect(), {**own, "against": other.address}, root)
    pool = make(ExtractConcepts(min_frequency=2), root, {"images": same["images"]})
    embeddings = make(EmbedConcepts(), root, {"concepts": pool.address, "teacher": teacher})
    pins = {"embeddings": embeddings.address, "features": pins["features"]}
    other = make(Label(), root, pins)
    with pytest.raises(ArtifactError, match=r"--against .* different concepts"):
        inputs.resolve(Suspect(), {**own, "against": other.address}, root)


def test_sql_joins_suspicions_with_the_labels_they_are_of(
    root: Path, made: dict[str, Artifact]
) -> None:
    with sql.connect(root) as connection:
        statement = "SELECT count(suspicion) AS n, count(*) AS m FROM suspected_labels"
        [row] = sql.batches(sql.query(connection, statement)).read_all().to_pylist()
    assert row["n"] == row["m"] == made["suspicions"].manifest.rows
