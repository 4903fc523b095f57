"""An evaluation is told whether its images taught the model; the toys' images have equal hashes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pipeline.execution import inputs
from pipeline.execution.training_images import trained_on
from pipeline.store import catalog
from schemas.duplicates import DUPLICATES
from schemas.errors import ArtifactError
from schemas.images import IMAGES
from schemas.metrics import METRICS
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.students import STUDENTS
from schemas.teachers import TEACHERS
from stages.base import Part, Reads, each, option, whole
from stages.evaluation.metrics import Metric, metric_rows
from stages.outcome import Outcome, Result
from stages.select import Select
from tests.pipeline import toys
from tests.pipeline.helpers import make, rows_of
from tests.pipeline.toys import Toy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipeline.store.artifact import Artifact
    from schemas.table import Table


@dataclass(frozen=True, kw_only=True)
class Train(Toy):
    image_text_weight: float = option(0.0, "of a loss that needs no labels")
    where: str | None = option(None, "SQL condition on pseudo_labels")

    name: ClassVar[str] = "train"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {
        "pseudo_labels": each(PSEUDO_LABELS),
        "images": each(IMAGES),
        "teacher": whole(TEACHERS),
    }
    writes: ClassVar[Table] = STUDENTS
    single_task: ClassVar[bool] = True

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        yield STUDENTS.empty()


@dataclass(frozen=True, kw_only=True)
class ImportWeights(Toy):
    name: ClassVar[str] = "import-weights"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {}
    writes: ClassVar[Table] = TEACHERS
    single_task: ClassVar[bool] = True

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        part.attach("weights.json").write_text("[]")
        yield TEACHERS.empty()


@dataclass(frozen=True, kw_only=True)
class Duplicates(Toy):
    """Every image whose number is that of another, plus one, shows the same."""

    name: ClassVar[str] = "duplicates"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(IMAGES), "against": whole(IMAGES)}
    writes: ClassVar[Table] = DUPLICATES

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        others = set(part.table("against")["image_id"].to_pylist())
        pairs = [
            (image_id, other)
            for image_id in part.table("images")["image_id"].to_pylist()
            if (other := f"toy/{int(image_id[-6:]) - 1:06d}") in others
        ]
        yield DUPLICATES.batch(
            {
                "image_id": [image_id for image_id, _ in pairs],
                "other_id": [other for _, other in pairs],
                "kind": ["near"] * len(pairs),
                "similarity": [0.9] * len(pairs),
                "mirrored": [True] * len(pairs),
                "cropped": [None] * len(pairs),
            }
        )


@dataclass(frozen=True, kw_only=True)
class NoDuplicates(Duplicates):
    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        yield DUPLICATES.empty()

    def outcome(self, result: Result) -> Outcome:
        return Outcome(["none"])


@dataclass(frozen=True, kw_only=True)
class Evaluate(Toy):
    name: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {
        "images": each(IMAGES),
        "model": whole(TEACHERS, also=(STUDENTS,)),
        "duplicates": whole(DUPLICATES, optional=True, named=True, apart=True),
    }
    writes: ClassVar[Table] = METRICS
    single_task: ClassVar[bool] = True

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        part.note("novel", [])
        part.note("warnings", ["one of its own"])
        yield metric_rows([Metric("top1", "all", "", 0.5, 1)])


@pytest.fixture
def sets(root: Path) -> dict[str, Artifact]:
    """Images 0 to 11 to learn from, 0 to 3 to evaluate, and an imported teacher."""
    teacher = make(ImportWeights(), root)
    evaluated = make(toys.Ingest(count=4, seed=1), root)
    images = make(toys.Ingest(count=12), root)
    pins = {"images": images.address, "teacher": teacher.address}
    make(toys.ExtractConcepts(), root, pins)
    make(toys.EmbedConcepts(), root, pins)
    make(toys.Propose(), root, pins)
    make(toys.Featurize(), root, pins)
    labels = make(toys.Label(), root)
    return {"images": images, "evaluated": evaluated, "labels": labels, "teacher": teacher}


def told(root: Path, sets: dict[str, Artifact], model: Artifact, **pins: str) -> dict[str, Any]:
    chosen = {"images": sets["evaluated"].address, "model": model.address, **pins}
    return make(Evaluate(), root, chosen).manifest.notes


def student(root: Path, labels: Artifact, **options: Any) -> Artifact:
    return make(Train(**options), root, {"pseudo_labels": labels.address})


def test_images_of_the_same_bytes_are_counted_and_warned_of(
    root: Path, sets: dict[str, Artifact]
) -> None:
    model = student(root, sets["labels"])
    notes = told(root, sets, model)
    assert notes["training_images"] == {"models": [model.address], "same_bytes": 4}
    own, warning = notes["warnings"]
    assert own == "one of its own"
    assert warning.startswith(f"4 of 4 images of {sets['evaluated'].address} are images that ")
    assert model.address in warning


def test_an_image_without_a_label_taught_nothing_unless_a_loss_needs_none(
    root: Path, sets: dict[str, Artifact]
) -> None:
    select = Select(called="clean", where="image_id NOT IN ('toy/000001', 'toy/000002')")
    clean = make(select, root, {"pseudo_labels": sets["labels"].address})
    by_labels = told(root, sets, student(root, clean))
    assert by_labels["training_images"]["same_bytes"] == 2
    by_captions = told(root, sets, student(root, clean, image_text_weight=1.0))
    assert by_captions["training_images"]["same_bytes"] == 4


def test_an_image_without_a_label_that_took_part_taught_nothing(
    root: Path, sets: dict[str, Artifact]
) -> None:
    some = student(root, sets["labels"], where="image_id <> 'toy/000001' AND region = 0")
    assert told(root, sets, some)["training_images"]["same_bytes"] == 3
    fallen_back = student(root, sets["labels"], where="region = 77")
    assert told(root, sets, fallen_back)["training_images"]["same_bytes"] == 4


def test_of_one_set_either_image_of_a_pair_may_have_taught(
    root: Path, sets: dict[str, Artifact]
) -> None:
    address = sets["images"].address
    found = make(Duplicates(), root, {"images": address, "against": address})
    select = Select(called="first", where="image_id < 'toy/000005'")
    first = make(select, root, {"pseudo_labels": sets["labels"].address})
    pins = {"images": address, "duplicates": found.address}
    notes = told(root, sets, student(root, first), **pins)
    assert notes["training_images"]["same_bytes"] == 5
    assert notes["training_images"]["duplicate"] == 6  # image 5 shows what image 4 shows


def test_duplicates_name_no_images_to_evaluate(root: Path, sets: dict[str, Artifact]) -> None:
    pins = {"images": sets["images"].address, "against": sets["evaluated"].address}
    found = make(Duplicates(), root, pins)
    newest = make(toys.Ingest(count=5, seed=2), root)
    pins = {"model": sets["teacher"].address, "duplicates": found.address}
    assert inputs.resolve(Evaluate(), pins, root)["images"].path == newest.path


def test_a_comparison_that_was_cut_short_is_refused(root: Path, sets: dict[str, Artifact]) -> None:
    pins = {"images": sets["images"].address, "against": sets["evaluated"].address}
    found = make(Duplicates(limit=2), root, pins)
    with pytest.raises(ArtifactError, match="was made with --limit 2, so nothing is known of the"):
        told(root, sets, sets["teacher"], duplicates=found.address)
    labels = {"pseudo_labels": sets["labels"].address, "without": found.address}
    with pytest.raises(ArtifactError, match=r"rc select: --without .* was made with --limit 2"):
        make(Select(called="clean"), root, labels)


def test_named_duplicates_count_where_the_model_learned_from_them(
    root: Path, sets: dict[str, Artifact]
) -> None:
    pins = {"images": sets["images"].address, "against": sets["evaluated"].address}
    found = make(Duplicates(), root, pins)
    dirty = student(root, sets["labels"])
    notes = told(root, sets, dirty, duplicates=found.address)
    assert notes["training_images"] == {
        "models": [dirty.address],
        "same_bytes": 4,
        "duplicates": found.address,
        "duplicate": 4,
    }
    assert len(notes["warnings"]) == 2  # each is told once
    select = Select(called="clean", where="image_id > 'toy/000003'")
    clean = make(select, root, {"pseudo_labels": sets["labels"].address})
    notes = told(root, sets, student(root, clean), duplicates=found.address)
    assert (notes["training_images"]["same_bytes"], notes["training_images"]["duplicate"]) == (0, 1)
    assert "1 of 4 images" in notes["warnings"][1]
    assert "show the same as" in notes["warnings"][1]
    without = {"pseudo_labels": sets["labels"].address, "without": found.address}
    cleaner = make(Select(called="cleaner", where="image_id > 'toy/000003'"), root, without)
    notes = told(root, sets, student(root, cleaner), duplicates=found.address)
    assert notes["training_images"]["duplicate"] == 0
    assert notes["warnings"] == ["one of its own"]


def test_duplicates_of_other_images_say_nothing(root: Path, sets: dict[str, Artifact]) -> None:
    pins = {"images": sets["evaluated"].address, "against": sets["images"].address}
    found = make(Duplicates(), root, pins)
    notes = told(root, sets, student(root, sets["labels"]), duplicates=found.address)
    assert notes["training_images"]["duplicate"] == 0
    assert "says nothing about this evaluation" in notes["warnings"][2]


def test_of_an_imported_teacher_nothing_is_known(root: Path, sets: dict[str, Artifact]) -> None:
    notes = told(root, sets, sets["teacher"])
    assert notes["training_images"] == {"models": [], "same_bytes": 0}
    assert notes["warnings"] == ["one of its own"]


def test_a_teacher_taught_its_student_with_its_own_images(root: Path) -> None:
    images = make(toys.Ingest(count=6), root)
    teacher = make(toys.Pretrain(), root)
    (one,) = trained_on(teacher)
    hashes = {sha256 for _, sha256 in one.rows()}
    assert hashes == {f"{number:064x}" for number in range(6)}
    assert (one.images.address, one.labels) == (images.address, None)


def test_rows_are_the_images_of_all_parts(root: Path, sets: dict[str, Artifact]) -> None:
    (one,) = trained_on(student(root, sets["labels"]))
    rows = dict(one.rows())
    assert set(rows) == {f"toy/{number:06d}" for number in range(12)}


def test_labels_are_selected_without_duplicates_of_their_own_images_alone(
    root: Path, sets: dict[str, Artifact]
) -> None:
    labels, evaluated = sets["labels"].address, sets["evaluated"].address
    pins = {"images": evaluated, "against": sets["images"].address}
    foreign = {"pseudo_labels": labels, "without": make(Duplicates(), root, pins).address}
    with pytest.raises(ArtifactError, match="inputs are about different images"):
        make(Select(called="clean"), root, foreign)
    pins = {"images": sets["images"].address, "against": evaluated}
    found = make(Duplicates(), root, pins)
    clean = make(Select(called="clean"), root, {"pseudo_labels": labels, "without": found.address})
    everything = make(Select(called="everything"), root, {"pseudo_labels": labels})
    left = set(rows_of(everything)["image_id"].to_pylist()) - {
        f"toy/{number:06d}" for number in (1, 2, 3, 4)
    }
    assert set(rows_of(clean)["image_id"].to_pylist()) == left
    assert clean.manifest.notes["left_out"]["images"] == 4


def test_duplicates_that_are_none_are_an_input_like_others(
    root: Path, sets: dict[str, Artifact]
) -> None:
    pins = {"images": sets["images"].address, "against": sets["evaluated"].address}
    found = make(NoDuplicates(), root, pins)
    assert (found.manifest.rows, found.is_empty) == (0, False)
    assert catalog.find(root, "duplicates").path == found.path
    labels = sets["labels"].address
    clean = make(Select(called="clean"), root, {"pseudo_labels": labels, "without": "duplicates"})
    everything = make(Select(called="everything"), root, {"pseudo_labels": labels})
    assert rows_of(clean).equals(rows_of(everything))
    assert "0 labels of 0 images left out" in clean.manifest.notes["summary"][0]
