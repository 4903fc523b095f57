"""Models and embeddings that were not made here: their tables, and whose words they know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from pipeline.execution import inputs
from pipeline.store import catalog
from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.detectors import DETECTORS
from schemas.errors import ArtifactError
from schemas.students import STUDENTS
from schemas.teachers import TEACHERS
from stages.base import Part, Reads, option, whole
from tests.pipeline.helpers import make, make_all
from tests.pipeline.toys import WORDS, EmbedConcepts, Featurize, Label, Toy, Train

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipeline.store.artifact import Artifact
    from schemas.table import Table

pytestmark = pytest.mark.slow

TABLES = {table.name: table for table in (TEACHERS, STUDENTS, DETECTORS, CONCEPT_EMBEDDINGS)}


@dataclass(frozen=True, kw_only=True)
class Import(Toy):
    """One of several tables, as the options say."""

    table: str = option("teachers", "what is made", flag="--as")
    language: str = option("", "what tells its language encoder from others")

    name: ClassVar[str] = "import-weights"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {}
    writes: ClassVar[Table] = TEACHERS
    single_task: ClassVar[bool] = True

    def makes(self) -> Table:
        return TABLES[self.table]

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        if self.language:
            part.note("language", self.language)
        part.attach("weights.json").write_text("[0, 0]")
        columns: dict[str, Any] = {column.name: [] for column in self.makes().columns}
        if self.table == "concept_embeddings":
            names = list(WORDS)
            columns = {"concept_id": range(len(names)), "concept": names}
            columns["prompts"] = [0] * len(names)
            columns["embedding"] = np.eye(len(names), dtype=np.float32)
        yield self.makes().batch(columns)


@dataclass(frozen=True, kw_only=True)
class Finetune(Toy):
    """A detector from a model."""

    name: ClassVar[str] = "finetune"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {"model": whole(STUDENTS, also=(TEACHERS, DETECTORS))}
    writes: ClassVar[Table] = DETECTORS
    single_task: ClassVar[bool] = True

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        yield DETECTORS.batch({column.name: [] for column in DETECTORS.columns})


def imported(root: Path, table: str, language: str = "") -> Artifact:
    return make(Import(table=table, language=language), root)


@pytest.mark.parametrize("table", TABLES)
def test_an_artifact_lies_where_the_options_say_and_is_one_of_its_table(root: Path, table) -> None:
    made = imported(root, table)
    assert made.manifest.artifact == table
    assert made.address.startswith(f"{table}/v{TABLES[table].version}-")
    assert catalog.find(root, table, TABLES[table].version) == made
    assert imported(root, table) == made


def test_an_imported_model_is_its_own_language(root: Path) -> None:
    for table in ("teachers", "students", "detectors"):
        made = imported(root, table)
        assert inputs.language(made) == made


def test_a_student_of_an_imported_student_speaks_as_that(root: Path) -> None:
    made = make_all(root)
    begun = imported(root, "students")
    features = make(Featurize(), root, {"teacher": begun.address})
    pins = {
        "features": features.address,
        "embeddings": imported(root, "concept_embeddings").address,
    }
    labels = make(Label(), root, pins)
    student = make(Train(), root, {"pseudo_labels": labels.address, "teacher": begun.address})
    assert inputs.language(student) == begun
    assert inputs.language(made["students"]) == made["teachers"]


def test_a_detector_speaks_as_the_model_it_was_made_from(root: Path) -> None:
    made = make_all(root)
    detector = make(Finetune(), root, {"model": made["students"].address})
    assert inputs.language(detector) == made["teachers"]
    further = make(Finetune(), root, {"model": detector.address})
    assert inputs.language(further) == made["teachers"]


def test_a_model_whose_teacher_was_deleted_is_no_ones(root: Path) -> None:
    made = make_all(root)
    (made["teachers"].path / "manifest.json").unlink()
    assert inputs.language(made["students"]) is None


def test_imported_embeddings_go_with_any_model(root: Path) -> None:
    features = make_all(root)["features"]
    embeddings = imported(root, "concept_embeddings")
    assert inputs.language(embeddings) is None
    pins = {"features": features.address, "embeddings": embeddings.address}
    assert "embeddings" in inputs.resolve(Label(), pins, root)


def test_models_with_equal_encoders_understand_each_other_and_others_do_not(root: Path) -> None:
    make_all(root)
    student, teacher = imported(root, "students", "ab12"), imported(root, "teachers", "ab12")
    features = make(Featurize(), root, {"teacher": student.address})
    embeddings = make(EmbedConcepts(), root, {"teacher": teacher.address})
    pins = {"features": features.address, "embeddings": embeddings.address}
    assert set(inputs.resolve(Label(), pins, root)) >= pins.keys()
    other = make(EmbedConcepts(), root, {"teacher": imported(root, "teachers", "cd34").address})
    with pytest.raises(ArtifactError, match="different language encoders"):
        inputs.resolve(Label(), {**pins, "embeddings": other.address}, root)


def test_a_model_without_an_encoder_takes_embeddings_of_any(root: Path) -> None:
    made = make_all(root)
    silent = imported(root, "students", "none")
    assert inputs.language(silent) is None
    features = make(Featurize(), root, {"teacher": silent.address})
    pins = {"features": features.address, "embeddings": made["concept_embeddings"].address}
    assert set(inputs.resolve(Label(), pins, root)) >= pins.keys()
