"""Evaluation of detectors, with imported embeddings, by LVIS's rules; refusals and warnings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.errors import ArtifactError, SourceError
from stages.evaluate import Evaluate
from stages.models.box_deltas import decode
from stages.models.clip import load_clip, save_clip
from stages.models.detector import Detector, HeadSpec, save_detector
from stages.models.text_embeddings import embed_names
from stages.models.weights import read_state, write_state
from stages.option import with_presets
from tests.stages.evaluation.image_rows import (
    image_row,
    object_row,
    part_of,
    proposal_row,
    set_proposals,
)
from tests.stages.models.tiny import tiny_clip, tiny_files
from tests.stages.test_evaluate import NAMES, detections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.models.clip import Clip
    from tests.in_memory import InMemory

pytestmark = pytest.mark.slow

rng = np.random.default_rng(50)
Files = dict[tuple[str, str], Path]
BOX = [5.0, 5.0, 60.0, 70.0]


@pytest.fixture
def model(tmp_path: Path) -> Files:
    return {("model", name): path for (_, name), path in tiny_files(tmp_path).items()}


@pytest.fixture
def clip(model: Files) -> Clip:
    return load_clip(model["model", "model.json"], model["model", "weights.safetensors"], "cpu")


@pytest.fixture
def part(tmp_path: Path, model: Files) -> InMemory:
    rows = [
        image_row(tmp_path, f"p{n}", [object_row(NAMES[(n + k) % 3]) for k in range(2)])
        for n in (0, 1)
    ]
    return part_of(tmp_path, model, [*rows, image_row(tmp_path, "bare", [])])


def run(part: InMemory, **options: Any) -> dict[tuple[str, str, str], tuple[float, int]]:
    settings = {
        "templates": "plain",
        "resize": "none",
        "device": "cpu",
        "pictures": False,
        **options,
    }
    (batch,) = Evaluate(**with_presets(Evaluate, settings)).run(part)
    rows = batch.to_pylist()
    return {(r["metric"], r["split"], r["category"]): (r["value"], r["count"]) for r in rows}


def embedded(names: Sequence[str], vectors: Any) -> pa.Table:
    vectors = np.asarray(vectors, np.float32)
    ids, prompts = list(range(len(names))), [1] * len(names)
    rows = {"concept_id": ids, "concept": list(names), "prompts": prompts, "embedding": vectors}
    return pa.Table.from_batches([CONCEPT_EMBEDDINGS.batch(rows)])


def detector_in(folder: Path, clip: Clip, head: HeadSpec) -> tuple[Detector, Files]:
    """A detector with random numbers everywhere, and its two files."""
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 31)))
    embeddings = torch.randn(len(head.categories), clip.width, generator=generator)
    detector = Detector(clip, head, embeddings).eval()
    with torch.no_grad():
        if detector.bbox_pred is not None:
            torch.nn.init.normal_(detector.bbox_pred.weight, std=0.1, generator=generator)
            torch.nn.init.normal_(detector.bbox_pred.bias, generator=generator)
        if head.background == "learned":
            torch.nn.init.normal_(detector.background, generator=generator)
    files = {("model", n): folder / f"d-{n}" for n in ("model.json", "weights.safetensors")}
    save_detector(detector, *files.values())
    return detector, files


def feature_of(clip: Clip, row: dict[str, Any], box: list[float]) -> torch.Tensor:
    pixels = torch.from_numpy(np.asarray(Image.open(row["uri"])).copy()).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in (clip.spec.mean, clip.spec.std))
    with torch.no_grad():
        (feature,) = clip.encode_regions(((pixels - mean) / std)[None], [torch.tensor([box])])
    return feature


def test_imported_embeddings_that_equal_the_models_own_change_nothing(
    part: InMemory, clip: Clip
) -> None:
    without = run(part)
    vectors = embed_names(clip, NAMES, ["a photo of a {}."], "reference", 8)
    part.tables["embeddings"] = embedded(NAMES, vectors.numpy())
    assert run(part) == without
    assert part.notes["protocol"]["embeddings"] == "given"
    assert "templates" not in part.notes["protocol"]


def test_imported_embeddings_decide_the_category_of_a_box(part: InMemory, clip: Clip) -> None:
    row = part.tables["images"].to_pylist()[0]
    first = row["objects"][0]
    own = feature_of(clip, row, [first[c] for c in ("x0", "y0", "x1", "y1")])
    vectors = np.stack([-own.numpy(), own.numpy() * 7, -own.numpy()])
    part.tables["embeddings"] = embedded(NAMES, vectors)
    run(part)
    assert detections(part)[0]["category"] == NAMES[1]


def test_a_model_without_a_language_encoder_needs_imported_embeddings(
    part: InMemory, tmp_path: Path
) -> None:
    without_language = tiny_clip(tmp_path)
    files = {("model", n): tmp_path / f"s-{n}" for n in ("model.json", "weights.safetensors")}
    save_clip(without_language, *files.values())
    spec = replace(without_language.spec, language=False)
    spec.write(files["model", "model.json"])
    state = read_state(files["model", "weights.safetensors"])
    kept = {k: v for k, v in state.items() if k.startswith("visual.") or k == "logit_scale"}
    write_state(kept, files["model", "weights.safetensors"], torch.float32)
    part.files = files
    with pytest.raises(SourceError, match="embeddings"):
        run(part)
    part.tables["embeddings"] = embedded(NAMES, rng.normal(size=(3, 32)))
    assert run(part)["top1", "all", ""][1] == 4


@pytest.mark.parametrize("regression", ["agnostic", "specific"])
@pytest.mark.parametrize("background", ["zero", "learned"])
def test_a_detector_moves_boxes_and_classifies_them_with_its_background(
    part: InMemory, tmp_path: Path, clip: Clip, regression: str, background: str
) -> None:
    head = HeadSpec(tuple(NAMES), regression, background, temperature=0.5)
    detector, part.files = detector_in(tmp_path, clip, head)
    set_proposals(part, [proposal_row("p0", 0, BOX, 0.8)])
    run(part, boxes="proposals", score_threshold=0.0)
    feature = feature_of(clip, part.tables["images"].to_pylist()[0], BOX)[None]
    with torch.no_grad():
        probability = detector.classify(feature.double()).softmax(dim=1)[0, :3]
        deltas = detector.regress(feature)
        assert deltas is not None
        moved = decode(torch.tensor([BOX]), deltas, head.weights).view(-1, 4).clamp(0, 96)
    by_category = {d["category_id"]: d for d in detections(part)}
    for k in range(3):
        box = moved[k if regression == "specific" else 0]
        if (box[2:] <= box[:2]).any():
            continue
        assert by_category[k]["score"] == pytest.approx(float(probability[k]), rel=1e-3, abs=1e-6)
        corners = [by_category[k][c] for c in ("x0", "y0", "x1", "y1")]
        assert corners == pytest.approx(box.tolist(), rel=1e-3, abs=1e-2)
    protocol = part.notes["protocol"]
    assert protocol["box_deltas"] == regression
    assert protocol["embeddings"] == "the detector's own"
    assert (protocol["temperature"], protocol["score"]) == (0.5, "probability")
    assert protocol["background"].startswith("logit 0" if background == "zero" else "its learned")


def test_boxes_are_not_moved_by_a_student_nor_without_move_boxes(
    part: InMemory, tmp_path: Path, clip: Clip
) -> None:
    set_proposals(part, [proposal_row("p0", 0, BOX, 0.8)])
    run(part, boxes="proposals")
    assert part.notes["protocol"]["box_deltas"] == "none"
    _, part.files = detector_in(tmp_path, clip, HeadSpec(tuple(NAMES)))
    run(part, boxes="proposals", move_boxes=False)
    assert [detections(part)[0][c] for c in ("x0", "y0", "x1", "y1")] == BOX


def test_a_detector_with_specific_regression_is_limited_to_its_categories(
    part: InMemory, tmp_path: Path, clip: Clip
) -> None:
    _, part.files = detector_in(tmp_path, clip, HeadSpec(("bee", "ant", "cat"), "specific"))
    set_proposals(part, [proposal_row("p0", 0, BOX, 0.8)])
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    with pytest.raises(ArtifactError, match="each of the 3 categories it learned"):
        run(part, boxes="proposals", categories=tmp_path / "names.txt")
    assert run(part, boxes="proposals", categories=tmp_path / "names.txt", move_boxes=False)


def test_a_detector_can_be_evaluated_on_categories_it_never_learned(
    part: InMemory, tmp_path: Path, clip: Clip
) -> None:
    _, part.files = detector_in(tmp_path, clip, HeadSpec(("ant",)))
    (tmp_path / "splits.json").write_text('{"base": ["ant"], "novel": ["bee", "cat"]}')
    run(part, splits=tmp_path / "splits.json")
    assert part.notes["protocol"]["embeddings"] == "by the language encoder"
    assert part.notes["warnings"] == []


def test_novel_categories_in_training_and_another_temperature_are_warned_of(
    part: InMemory, tmp_path: Path, clip: Clip
) -> None:
    _, part.files = detector_in(tmp_path, clip, HeadSpec(tuple(NAMES)))
    (tmp_path / "splits.json").write_text('{"base": ["ant"], "novel": ["bee", "cat"]}')
    run(part, splits=tmp_path / "splits.json", temperature=0.05)
    novel, temperature = part.notes["warnings"]
    assert "trained on boxes of 2 novel categories ('bee', 'cat')" in novel
    assert "trained at temperature 0.01, and judged at 0.05" in temperature


def test_images_without_an_object_are_left_out_without_bare_images(
    part: InMemory, tmp_path: Path
) -> None:
    rows = [proposal_row(name, 0, BOX, 0.9) for name in ("p0", "p1", "bare")]
    set_proposals(part, rows)
    run(part, boxes="proposals")
    assert {d["image_id"] for d in detections(part)} == {"p0", "p1", "bare"}
    run(part, boxes="proposals", bare_images=False)
    assert {d["image_id"] for d in detections(part)} == {"p0", "p1"}
    protocol = part.notes["protocol"]
    assert (protocol["images"], protocol["images_skipped"]) == (2, 1)


def test_a_preset_and_deviations_from_it_are_in_the_protocol(tmp_path: Path, model: Files) -> None:
    part = part_of(
        tmp_path, model, [image_row(tmp_path, "p", [object_row("dog"), object_row("car")])]
    )
    metrics = run(part, preset="coco-gt", nms=0.7)
    protocol = json.loads(json.dumps(part.notes["protocol"]))
    assert protocol["preset"] == "coco-gt"
    used = {name: values["used"] for name, values in protocol["deviations"].items()}
    assert used == {"templates": "plain", "resize": "none", "nms": "0.7"}
    assert protocol["vocabulary"]["splits"] == {"all": 65, "base": 48, "novel": 17}
    assert metrics["top1", "novel", ""][1] == metrics["top1", "base", ""][1] == 1


def lvis_json(folder: Path, images: dict[str, tuple[list[int], list[int]]]) -> Path:
    """Categories out of order, so that the order of ids can be seen."""
    kinds = {3: ("cat_(animal)", "f"), 1: ("ant", "r"), 2: ("bee", "c")}
    content = {
        "categories": [{"id": k, "name": n, "frequency": f} for k, (n, f) in kinds.items()],
        "images": [
            {
                "id": n,
                "coco_url": f"val2017/{name}.png",
                "neg_category_ids": absent,
                "not_exhaustive_category_ids": not_exhaustive,
            }
            for n, (name, (absent, not_exhaustive)) in enumerate(images.items())
        ],
    }
    path = folder / "lvis.json"
    path.write_text(json.dumps(content))
    return path


def test_lvis_provides_categories_splits_and_rules(tmp_path: Path, model: Files) -> None:
    row = image_row(tmp_path, "p", [object_row("ant", BOX)])
    part = part_of(tmp_path, model, [row])
    annotations = lvis_json(tmp_path, {"p": ([2], []), "elsewhere": ([], [])})
    metrics = run(part, preset="lvis-gt", annotations=annotations, temperature=1.0)
    protocol = part.notes["protocol"]
    assert protocol["vocabulary"]["names"] == ["ant", "bee", "cat_(animal)"]
    assert protocol["vocabulary"]["splits"] == {"all": 3, "base": 2, "novel": 1}
    assert protocol["average_precision"].startswith("LVIS")
    assert protocol["detections_per_image"] == 300
    assert metrics["APr", "all", ""] == (pytest.approx(1.0), 1)  # the only box is an ant
    assert ("APf", "all", "") not in metrics


def test_only_the_published_formula_drops_proposals_with_negative_logits(
    tmp_path: Path, model: Files
) -> None:
    part = part_of(tmp_path, model, [image_row(tmp_path, "p", [object_row("dog", BOX)])])
    set_proposals(
        part, [proposal_row("p", 0, BOX, 0.99), proposal_row("p", 1, [50.0, 50, 90, 90], 0.2)]
    )
    run(part, preset="coco-rpn")
    assert {d["x0"] for d in detections(part)} == {5.0}
    assert max(d["score"] for d in detections(part)) > 0
    run(part, preset="coco-rpn", score="sqrt-sigmoid")
    assert {d["x0"] for d in detections(part)} == {5.0, 50.0}


def test_a_box_moved_to_infinity_is_dropped(part: InMemory, tmp_path: Path, clip: Clip) -> None:
    _, part.files = detector_in(tmp_path, clip, HeadSpec(tuple(NAMES), weights=(0.0, 1, 1, 1)))
    set_proposals(part, [proposal_row("p0", 0, BOX, 0.8)])
    assert run(part, boxes="proposals")["AP", "all", ""][0] == 0.0  # dx / 0 is infinite
    assert detections(part) == []
