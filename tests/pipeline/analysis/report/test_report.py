"""A report on pseudo-labels: its folder, its determinism, and names with HTML in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pytest

from pipeline.analysis.report import report_labels
from pipeline.analysis.report.label_statistics import collect_statistics
from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.errors import ArtifactNotFoundError, OptionError
from stages.base import Part, Reads, Stage, whole
from tests.pipeline.helpers import make, make_all
from tests.pipeline.toys import Label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipeline.store.artifact import Artifact
    from schemas.table import Table

pytestmark = pytest.mark.slow

HOSTILE = "<script>alert(1)</script>\"'&"


@dataclass(frozen=True, kw_only=True)
class Renamed(Stage):
    """The concepts with a script in their names."""

    name: ClassVar[str] = "embed-concepts"
    version: ClassVar[int] = 77
    reads: ClassVar[Mapping[str, Reads]] = {"embeddings": whole(CONCEPT_EMBEDDINGS)}
    writes: ClassVar[Table] = CONCEPT_EMBEDDINGS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        rows = part.table("embeddings")
        names = [f"{HOSTILE} {name}" for name in rows["concept"].to_pylist()]
        column = rows.schema.get_field_index("concept")
        yield from rows.set_column(column, rows.schema.field("concept"), [names]).to_batches()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    return make_all(tmp_path_factory.mktemp("report") / "store", count=12)


def test_a_page_needs_no_other_file_and_is_equal_when_written_again(
    made: dict[str, Artifact], tmp_path: Path
) -> None:
    page = report_labels(made["images"].root, tmp_path / "out")
    text = page.read_text()
    pictures = sorted(path.name for path in page.parent.glob("*.png"))
    assert len(pictures) >= 5  # four more where regions lie on objects
    assert "default-src 'none'" in text
    assert "<script" not in text
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    before = {path.name: path.read_bytes() for path in page.parent.iterdir()}
    report_labels(made["images"].root, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in page.parent.iterdir()} == before


def test_a_script_in_a_name_is_escaped(tmp_path: Path) -> None:
    root = tmp_path / "store"
    made = make_all(root, count=6)
    again = make(Renamed(), root, {"embeddings": made["concept_embeddings"].address})
    make(Label(temperature=0.7), root, {"embeddings": again.address})
    text = report_labels(root, tmp_path / "out").read_text()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_an_empty_set_of_labels_is_refused(made: dict[str, Artifact], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="has no label for which false holds"):
        report_labels(made["images"].root, tmp_path / "out", where="false")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_reported_is_a_sentence(root: Path) -> None:
    with pytest.raises(OptionError, match="is no pseudo_labels"):
        collect_statistics(root, "images@00")
    make_all(root, count=3)
    with pytest.raises(ArtifactNotFoundError):
        collect_statistics(root, "pseudo_labels@nobody")
