"""Which artifacts a stage reads when told nothing, something, or nonsense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pytest

from pipeline.execution import inputs
from pipeline.store import catalog
from schemas.errors import ArtifactError, ArtifactNotFoundError, OptionError
from schemas.features import FEATURES
from stages.base import Reads, each, option
from tests.pipeline.helpers import make, make_all
from tests.pipeline.toys import (
    EmbedConcepts,
    ExtractConcepts,
    Featurize,
    Ingest,
    Label,
    LabelFromImages,
    Pretrain,
    Propose,
    Toy,
    Train,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def resolved(stage: Toy, root: Path, pins: Mapping[str, str] | None = None) -> dict[str, str]:
    return {role: a.address for role, a in inputs.resolve(stage, pins or {}, root).items()}


@pytest.mark.slow
def test_an_open_role_takes_the_newest_in_the_order_the_stage_declares(root: Path) -> None:
    made = make_all(root)
    assert resolved(Featurize(), root) == {
        "images": made["images"].address,
        "proposals": made["proposals"].address,
        "teacher": made["teachers"].address,
    }
    order = ["features", "proposals", "embeddings", "mentions"]
    assert list(resolved(Label(), root)) == order


@pytest.mark.slow
def test_an_open_role_takes_what_the_others_were_made_from_rather_than_the_newest(
    root: Path,
) -> None:
    made = make_all(root)
    make(Ingest(count=3), root)
    newer = make(Pretrain(seed=9), root, {"images": made["images"].address})
    assert catalog.find(root, "teachers") == newer
    found = resolved(Train(), root)
    assert found["images"] == made["images"].address
    assert found["teacher"] == made["teachers"].address


@pytest.mark.slow
def test_a_pinned_input_decides_for_the_others(root: Path) -> None:
    made = make_all(root)
    others = make_all(root, count=9)
    assert resolved(Featurize(), root)["images"] == others["images"].address
    found = resolved(Featurize(), root, {"proposals": made["proposals"].address})
    assert found["images"] == made["images"].address
    prefix = f"proposals@{made['proposals'].manifest.fingerprint[:6]}"
    assert resolved(Featurize(), root, {"proposals": prefix}) == found


@pytest.mark.slow
def test_a_stand_in_may_be_pinned_where_the_stage_allows_it(root: Path) -> None:
    made = make_all(root)
    found = resolved(Featurize(), root, {"teacher": made["students"].address})
    assert found["teacher"] == made["students"].address


@pytest.mark.slow
@pytest.mark.parametrize("name", ["features@ab", "images2@ab", "proposals/v1-0123"])
def test_a_pin_to_another_table_is_refused(root: Path, name: str) -> None:
    make(Ingest(), root)
    with pytest.raises(OptionError, match=r"rc propose: --images takes images@…, got '"):
        inputs.resolve(Propose(), {"images": name}, root)


@pytest.mark.slow
def test_the_table_of_a_pin_may_be_left_out(root: Path) -> None:
    made = make(Ingest(), root)
    make(Ingest(count=2), root)
    prefix = made.manifest.fingerprint[:6]
    assert resolved(Propose(), root, {"images": prefix})["images"] == made.address
    with pytest.raises(ArtifactNotFoundError, match="no artifact matches 'images@image'"):
        inputs.resolve(Propose(), {"images": "image"}, root)


def test_a_missing_input_is_a_sentence(root: Path) -> None:
    with pytest.raises(ArtifactNotFoundError, match=r"rc propose needs images, and there are none"):
        inputs.resolve(Propose(), {}, root)
    with pytest.raises(ArtifactNotFoundError, match="no artifact matches 'images@00'"):
        inputs.resolve(Propose(), {"images": "images@00"}, root)


@pytest.mark.slow
def test_inputs_about_different_images_are_refused_naming_them(root: Path) -> None:
    made = make_all(root)
    others = make(Ingest(count=9), root)
    pins = {"images": others.address, "proposals": made["proposals"].address}
    with pytest.raises(ArtifactError, match="inputs are about different images: images ") as said:
        inputs.resolve(Featurize(), pins, root)
    assert others.address in str(said.value)
    assert made["images"].address in str(said.value)


@pytest.mark.slow
def test_features_and_embeddings_of_different_teachers_are_refused_naming_both(root: Path) -> None:
    made = make_all(root)
    other = make(Pretrain(seed=1), root)
    embeddings = make(EmbedConcepts(), root, {"teacher": other.address})
    pins = {"features": made["features"].address, "embeddings": embeddings.address}
    with pytest.raises(ArtifactError, match="made with different language encoders: ") as said:
        inputs.resolve(Label(), pins, root)
    assert f"by {made['teachers'].address}" in str(said.value)
    assert f"by {other.address}" in str(said.value)


@pytest.mark.slow
def test_a_student_counts_as_the_teacher_it_started_from_for_many_rounds(root: Path) -> None:
    made = make_all(root)
    student = made["students"]
    for _ in range(2):
        features = make(Featurize(), root, {"teacher": student.address})
        assert inputs.language(features) == made["teachers"]
        pins = {"features": features.address, "embeddings": made["concept_embeddings"].address}
        labels = make(Label(), root, pins)
        pins = {"pseudo_labels": labels.address, "teacher": student.address}
        student = make(Train(), root, pins)
        assert inputs.language(student) == made["teachers"]


@pytest.mark.slow
def test_an_optional_input_comes_only_from_the_ancestry_of_others(root: Path) -> None:
    made = make_all(root)
    make(ExtractConcepts(min_frequency=2), root)
    assert resolved(Label(), root)["mentions"] == made["concepts"].address


@pytest.mark.slow
def test_a_pool_from_other_images_may_be_used_but_its_mentions_are_not(root: Path) -> None:
    make_all(root)
    elsewhere = make(Ingest(count=8, seed=5), root)
    pool = make(ExtractConcepts(), root, {"images": elsewhere.address})
    teacher = catalog.find(root, "teachers").address
    embeddings = make(EmbedConcepts(), root, {"concepts": pool.address, "teacher": teacher})
    found = resolved(Label(), root, {"embeddings": embeddings.address})
    assert set(found) == {"features", "proposals", "embeddings"}
    notes = make(Label(), root, {"embeddings": embeddings.address}).manifest.notes
    assert notes["mentions"] == 0


@pytest.mark.slow
def test_mentions_that_lack_parts_are_left_out_rather_than_fatal(root: Path) -> None:
    make_all(root)
    teacher = catalog.find(root, "teachers").address
    pool = make(ExtractConcepts(limit=3), root)
    embeddings = make(EmbedConcepts(), root, {"concepts": pool.address, "teacher": teacher})
    assert set(resolved(Label(), root, {"embeddings": embeddings.address})) == {
        "features",
        "proposals",
        "embeddings",
    }
    limited = make(Featurize(limit=3), root, {"proposals": make(Propose(), root).address})
    pins = {"embeddings": embeddings.address, "features": limited.address}
    assert "mentions" in resolved(Label(), root, pins)


def test_a_stage_that_reads_nothing_needs_nothing(root: Path) -> None:
    assert inputs.resolve(Ingest(), {}, root) == {}


@pytest.mark.slow
def test_a_network_does_not_bring_the_images_it_was_trained_on(root: Path) -> None:
    teacher = make_all(root)["teachers"]
    newer = make(Ingest(count=3), root)
    proposals = make(Propose(), root, {"images": newer.address})
    found = resolved(Featurize(), root, {"teacher": teacher.address})
    assert found["images"] == newer.address
    assert found["proposals"] == proposals.address


@dataclass(frozen=True, kw_only=True)
class Distil(Train):
    """Train on features that must be named, or without."""

    distil: bool = option(True, "whether features are needed")

    reads: ClassVar[Mapping[str, Reads]] = {**Train.reads, "features": each(FEATURES, named=True)}

    def requires(self) -> Mapping[str, Reads]:
        return self.reads if self.distil else Train.reads


@pytest.mark.slow
def test_an_input_that_must_be_named_is_neither_guessed_nor_done_without(root: Path) -> None:
    made = make_all(root)
    with pytest.raises(ArtifactNotFoundError) as error:
        inputs.resolve(Distil(), {}, root)
    assert str(error.value) == (
        "rc train needs --features with these options, and takes none unasked: name features@… "
        "('rc featurize' makes them)"
    )
    features = made["features"].address
    assert resolved(Distil(), root, {"features": features})["features"] == features
    with pytest.raises(OptionError, match="rc train: --features is not read with these options"):
        inputs.resolve(Distil(distil=False), {"features": features}, root)
    assert "features" not in resolved(Distil(distil=False), root)


@pytest.mark.slow
def test_what_was_made_of_other_proposals_is_refused_naming_both(root: Path) -> None:
    made = make_all(root)
    other = make(Propose(regions=1), root, {"images": made["images"].address})
    pins = {"features": made["features"].address, "proposals": other.address}
    with pytest.raises(ArtifactError, match="whose regions have the same numbers") as said:
        inputs.resolve(Label(), pins, root)
    assert f"were made of {made['proposals'].address}, not of {other.address}" in str(said.value)
    assert resolved(Label(), root, {"features": pins["features"]})["proposals"] == (
        made["proposals"].address
    )


@pytest.mark.slow
def test_naming_an_input_that_is_strict_is_an_error_where_it_is_not_read(root: Path) -> None:
    made = make_all(root, count=4)
    pins = {"images": made["images"].address}
    assert list(resolved(LabelFromImages(from_images=True), root, pins))[-1] == "images"
    message = r"rc label: --images is not read with these options; leave it out, or switch on"
    with pytest.raises(OptionError, match=message):
        resolved(LabelFromImages(), root, pins)
    features = {"features": made["features"].address}
    assert "features" not in resolved(LabelFromImages(from_images=True), root, features)


@pytest.mark.parametrize("name", ["", " ", "features@"])
def test_an_empty_name_is_refused(root: Path, name: str) -> None:
    make_all(root, count=2)
    with pytest.raises(OptionError, match=r"--features is .* as an unset shell variable makes it"):
        inputs.resolve(Label(), {"features": name}, root)
