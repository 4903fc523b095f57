"""The parts of the demo on five synthetic scenes, with toy stages behind the real tables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline import demo
from pipeline.contact_sheets import RIGHT, WRONG
from schemas.detections import DETECTIONS
from schemas.errors import SourceError
from schemas.images import IMAGES
from schemas.metrics import METRICS
from stages.base import Part, Reads, Stage, each, option
from stages.ingest import Ingest
from tests.pipeline import toys
from tests.pipeline.helpers import make

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.contact_sheets import Panel
    from pipeline.store.artifact import Artifact
    from schemas.table import Table

pytestmark = pytest.mark.slow

NUM_SCENES, NUM_HOLDOUT = 3, 2


@dataclass(frozen=True, kw_only=True)
class NameEveryThirdWrong(Stage):
    """Names every ground-truth box correctly, except every third one."""

    with_splits: bool = option(True, "whether base and novel are measured too")

    name: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(IMAGES)}
    writes: ClassVar[Table] = METRICS
    single_task: ClassVar[bool] = True

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        boxes = [
            (row["image_id"], index, box)
            for one_part in part.slices()
            for row in one_part.table("images").to_pylist()
            for index, box in enumerate(row["objects"])
        ]
        truth = [box["category"] for _, _, box in boxes]
        named = ["nothing" if i % 3 == 2 else name for i, name in enumerate(truth)]
        detections = DETECTIONS.batch(
            {
                "image_id": [image_id for image_id, _, _ in boxes],
                "detection": [index for _, index, _ in boxes],
                "category_id": [0] * len(boxes),
                "category": named,
                "score": [0.5] * len(boxes),
                **{edge: [box[edge] for _, _, box in boxes] for edge in ("x0", "y0", "x1", "y1")},
                "truth": truth,
                "rank": [0] * len(boxes),
            }
        )
        pq.write_table(pa.Table.from_batches([detections]), part.attach("detections.parquet"))
        rows = [("top1", "all", "", 0.25), ("top5", "all", "", 0.5), ("top1", "all", "cat", 0.9)]
        if self.with_splits:
            rows += [("top1", "base", "", 0.375), ("top1", "novel", "", 0.125)]
        metrics, splits, categories, values = zip(*rows, strict=True)
        yield METRICS.batch(
            {
                "metric": metrics,
                "split": splits,
                "category": categories,
                "value": values,
                "count": [1] * len(rows),
            }
        )


@dataclass(frozen=True)
class DemoStore:
    """A folder of scenes, and a store with what the demo recipe makes of them."""

    folder: Path
    settings: dict[str, Any]
    root: Path
    labels: Artifact
    metrics: tuple[Artifact, Artifact]  # with and without base and novel


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoStore]:
    folder = tmp_path_factory.mktemp("demo")
    root = folder / "store"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        settings = demo.render_demo_scenes(folder, NUM_SCENES, NUM_HOLDOUT, seed=2)
        holdout = make(Ingest(sources=(settings["holdout"],)), root)
        pins = {"images": holdout.address}
        metrics = tuple(
            make(NameEveryThirdWrong(with_splits=splits), root, pins) for splits in (True, False)
        )
        make(Ingest(sources=(settings["scenes"],)), root)
        for toy in toys.TOYS[1:-2]:
            make(toy(), root)
        labels = make(toys.Label(), root)
        yield DemoStore(folder, settings, root, labels, (metrics[0], metrics[1]))


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Sequence[Panel]]]:
    """The panels of every sheet that is saved."""
    saved: list[Sequence[Sequence[Panel]]] = []
    save_sheet = demo.save_sheet

    def save(path: Path, rows: Sequence[Sequence[Panel]]) -> None:
        saved.append(rows)
        save_sheet(path, rows)

    monkeypatch.setattr(demo, "save_sheet", save)
    return saved


def test_settings_name_the_folders_that_were_written(store: DemoStore) -> None:
    settings = store.settings
    assert settings["seed"] == 2
    for name, count in (("scenes", NUM_SCENES), ("holdout", NUM_HOLDOUT)):
        assert len(list((Path(settings[name]) / "images" / name).iterdir())) == count
    assert Path(settings["splits"]).is_file()
    assert (Path(settings["data"]) / "teacher.safetensors").is_file()


def test_held_out_scenes_differ_from_the_scenes_to_learn_from(store: DemoStore) -> None:
    paths = [*store.folder.glob("scenes/images/*/*"), *store.folder.glob("holdout/images/*/*")]
    assert len({path.read_bytes() for path in paths}) == NUM_SCENES + NUM_HOLDOUT


def test_another_seed_gives_other_scenes(store: DemoStore, tmp_path: Path) -> None:
    demo.render_demo_scenes(tmp_path, 1, 0, seed=3)
    first, second = (
        (folder / "scenes/images/scenes/000000.jpg").read_bytes()
        for folder in (store.folder, tmp_path)
    )
    assert first != second


def test_weights_are_found_beside_the_code_or_in_an_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "__file__", str(tmp_path / "pipeline" / "demo.py"))
    for folder in (tmp_path / "stages/data/demo", tmp_path / "data/demo"):  # the checkout wins
        folder.mkdir(parents=True)
        (folder / "teacher.safetensors").touch()
        assert demo.weights_folder() == folder


def test_missing_weights_are_refused_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "__file__", str(tmp_path / "pipeline" / "demo.py"))
    with pytest.raises(SourceError) as refused:
        demo.weights_folder()
    assert str(refused.value) == (
        "the demo's weights are not installed (data/demo/teacher.safetensors); "
        "use a checkout of the repository, or make them with 'rc run demo_teacher'"
    )


def test_scores_are_the_accuracies_over_all_categories_in_the_order_given(
    store: DemoStore,
) -> None:
    with_splits, without = (artifact.address for artifact in store.metrics)
    scores = demo.scores(store.root, {"student": without, "teacher": with_splits})
    assert scores == [
        demo.Score("student", without, 0.25, 0.5, None, None),
        demo.Score("teacher", with_splits, 0.25, 0.5, 0.375, 0.125),
    ]


def test_no_evaluation_has_no_scores(store: DemoStore) -> None:
    assert demo.scores(store.root, {}) == []


def test_the_comparison_has_a_row_per_model_and_a_panel_per_scene(
    store: DemoStore, tmp_path: Path, sheets: list[Sequence[Sequence[Panel]]]
) -> None:
    address = store.metrics[0].address
    path = demo.save_comparison_sheet(
        store.root, [("teacher", address), ("student", address)], tmp_path / "pictures"
    )
    assert path == tmp_path / "pictures" / "teacher_and_student.png"
    with Image.open(path) as image:
        assert image.width > 2 * 320 * 1.6
    ((teacher, student),) = sheets
    assert len(teacher) == len(student) == NUM_HOLDOUT
    assert [panel.title.split(":")[0] for panel in (teacher[0], student[0])] == [
        "teacher",
        "student",
    ]


def test_right_and_wrong_predictions_are_counted_and_coloured(
    store: DemoStore, tmp_path: Path, sheets: list[Sequence[Sequence[Panel]]]
) -> None:
    demo.save_comparison_sheet(store.root, [("model", store.metrics[0].address)], tmp_path)
    (((first, second),),) = sheets
    for panel in (first, second):
        wrong = [mark for mark in panel.marks if mark.words == "nothing"]
        assert {mark.colour for mark in wrong} == {WRONG}
        assert {mark.colour for mark in panel.marks if mark not in wrong} == {RIGHT}
        right = len(panel.marks) - len(wrong)
        assert panel.title == f"model: {right} of {len(panel.marks)} right"
        areas = [(m.box[2] - m.box[0]) * (m.box[3] - m.box[1]) for m in panel.marks]
        assert areas == sorted(areas, reverse=True)  # small boxes are drawn over large ones


def test_the_label_sheet_shows_each_mentioned_concept_once_with_its_best_probability(
    store: DemoStore, tmp_path: Path, sheets: list[Sequence[Sequence[Panel]]]
) -> None:
    path = demo.save_pseudo_label_sheet(store.root, store.labels.address, tmp_path)
    assert path == tmp_path / "pseudo_labels.png"
    ((panels,),) = sheets
    assert 0 < len(panels) <= 3
    for panel in panels:
        assert panel.pixels.shape == (256, 320, 3)
        assert panel.title == "pseudo-labels"
        concepts = [mark.words.rsplit(" ", 1)[0] for mark in panel.marks]
        assert len(concepts) == len(set(concepts)) > 0
        probabilities = [float(mark.words.rsplit(" ", 1)[1]) for mark in panel.marks]
        assert probabilities == sorted(probabilities, reverse=True)
        assert min(probabilities) > 0.4  # the threshold of the toy labels
        assert " / " in panel.text


def test_sheets_show_the_pixels_of_their_images(
    store: DemoStore, tmp_path: Path, sheets: list[Sequence[Sequence[Panel]]]
) -> None:
    demo.save_comparison_sheet(store.root, [("model", store.metrics[0].address)], tmp_path)
    (((first, second),),) = sheets
    files = sorted((store.folder / "holdout/images/holdout").iterdir())
    for panel, path in zip((first, second), files, strict=True):
        with Image.open(path) as image:
            np.testing.assert_array_equal(panel.pixels, np.asarray(image))
