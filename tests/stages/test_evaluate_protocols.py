"""Evaluation of detectors, with given embeddings, by LVIS's rules; what is refused, what warned."""

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
from schemas.proposals import PROPOSALS
from stages.evaluate import Evaluate
from stages.models.box_deltas import decode
from stages.models.clip import load_clip, save_clip
from stages.models.detector import Detector, Head, save_detector
from stages.models.text_embeddings import embed_names
from stages.models.weights import read_state, write_state
from stages.option import with_presets
from tests.stages.models.tiny import tiny_clip, tiny_files
from tests.stages.test_evaluate import NAMES, detections, picture, proposal, scene, thing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.models.clip import Clip
    from tests.in_memory import InMemory

rng = np.random.default_rng()  # fresh every run: what is asserted holds for any numbers
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
        picture(tmp_path, f"p{n}", [thing(NAMES[(n + k) % 3]) for k in range(2)]) for n in (0, 1)
    ]
    return scene(tmp_path, model, [*rows, picture(tmp_path, "bare", [])])


def run(part: InMemory, **options: Any) -> dict[tuple[str, str, str], tuple[float, int]]:
    given = {"templates": "plain", "resize": "none", "device": "cpu", **options}
    (batch,) = Evaluate(**with_presets(Evaluate, given)).run(part)
    rows = batch.to_pylist()
    return {(r["metric"], r["split"], r["category"]): (r["value"], r["count"]) for r in rows}


def embedded(names: Sequence[str], vectors: Any) -> pa.Table:
    vectors = np.asarray(vectors, np.float32)
    ids, prompts = list(range(len(names))), [1] * len(names)
    rows = {"concept_id": ids, "concept": list(names), "prompts": prompts, "embedding": vectors}
    return pa.Table.from_batches([CONCEPT_EMBEDDINGS.batch(rows)])


def proposed(part: InMemory, rows: list[dict[str, Any]]) -> None:
    part.tables["proposals"] = pa.Table.from_pylist(rows, schema=PROPOSALS.arrow)


def detector_in(folder: Path, clip: Clip, head: Head) -> tuple[Detector, Files]:
    """A detector with numbers of its own everywhere, and its two files."""
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


def test_given_embeddings_that_are_the_models_own_change_nothing(
    part: InMemory, clip: Clip
) -> None:
    without = run(part)
    vectors = embed_names(clip, NAMES, ["a photo of a {}."], "reference", 8)
    part.tables["embeddings"] = embedded(NAMES, vectors.numpy())
    assert run(part) == without
    assert part.notes["protocol"]["embeddings"] == "given"
    assert "templates" not in part.notes["protocol"]


def test_given_embeddings_decide_what_a_box_is_called(part: InMemory, clip: Clip) -> None:
    row = part.tables["images"].to_pylist()[0]
    first = row["objects"][0]
    own = feature_of(clip, row, [first[c] for c in ("x0", "y0", "x1", "y1")])
    vectors = np.stack([-own.numpy(), own.numpy() * 7, -own.numpy()])
    part.tables["embeddings"] = embedded(NAMES, vectors)
    run(part)
    assert detections(part)[0]["category"] == NAMES[1]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["ant", "bee"], "3 categories are evaluated, but there are 2 embeddings"),
        (["bee", "ant", "cat"], "the same names in another order"),
        (["ant", "bee", "dog"], "other names"),
    ],
)
def test_embeddings_that_disagree_with_the_list_are_refused(
    part: InMemory, tmp_path: Path, names: list[str], said: str
) -> None:
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    part.tables["embeddings"] = embedded(names, rng.normal(size=(len(names), 32)))
    with pytest.raises(ArtifactError, match=said):
        run(part, categories=tmp_path / "names.txt")


def test_embeddings_that_lack_an_evaluated_category_are_refused(part: InMemory) -> None:
    part.tables["embeddings"] = embedded(["ant", "bee"], rng.normal(size=(2, 32)))
    with pytest.raises(ArtifactError, match=r"not in the vocabulary \('cat'\)"):
        run(part)


def test_embeddings_of_another_width_are_refused(part: InMemory) -> None:
    part.tables["embeddings"] = embedded(NAMES, rng.normal(size=(3, 16)))
    with pytest.raises(ArtifactError, match="16 wide, the model's features 32"):
        run(part)


def test_a_model_without_a_language_encoder_needs_given_embeddings(
    part: InMemory, tmp_path: Path
) -> None:
    silent = tiny_clip(tmp_path)
    files = {("model", n): tmp_path / f"s-{n}" for n in ("model.json", "weights.safetensors")}
    save_clip(silent, *files.values())
    spec = replace(silent.spec, language=False)
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
def test_a_detector_moves_boxes_and_names_them_beside_its_background(
    part: InMemory, tmp_path: Path, clip: Clip, regression: str, background: str
) -> None:
    head = Head(tuple(NAMES), regression, background, temperature=0.5)
    detector, part.files = detector_in(tmp_path, clip, head)
    proposed(part, [proposal("p0", 0, BOX, 0.8)])
    run(part, boxes="proposals", score_threshold=0.0)
    feature = feature_of(clip, part.tables["images"].to_pylist()[0], BOX)[None]
    with torch.no_grad():
        chances = detector.classify(feature.double()).softmax(dim=1)[0, :3]
        deltas = detector.regress(feature)
        assert deltas is not None
        moved = decode(torch.tensor([BOX]), deltas, head.weights).view(-1, 4).clamp(0, 96)
    found = {d["category_id"]: d for d in detections(part)}
    for k in range(3):
        box = moved[k if regression == "specific" else 0]
        if (box[2:] <= box[:2]).any():
            continue
        assert found[k]["score"] == pytest.approx(float(chances[k]), rel=1e-3, abs=1e-6)
        corners = [found[k][c] for c in ("x0", "y0", "x1", "y1")]
        assert corners == pytest.approx(box.tolist(), rel=1e-3, abs=1e-2)
    protocol = part.notes["protocol"]
    assert protocol["box_deltas"] == regression
    assert protocol["embeddings"] == "the detector's own"
    assert (protocol["temperature"], protocol["score"]) == (0.5, "probability")
    assert protocol["background"].startswith("logit 0" if background == "zero" else "its learned")


def test_boxes_stay_where_they_are_if_asked_or_if_a_student_names_them(
    part: InMemory, tmp_path: Path, clip: Clip
) -> None:
    proposed(part, [proposal("p0", 0, BOX, 0.8)])
    run(part, boxes="proposals")
    assert part.notes["protocol"]["box_deltas"] == "none"
    _, part.files = detector_in(tmp_path, clip, Head(tuple(NAMES)))
    run(part, boxes="proposals", move_boxes=False)
    assert [detections(part)[0][c] for c in ("x0", "y0", "x1", "y1")] == BOX


def test_boxes_moved_by_category_serve_the_categories_learned_alone(
    part: InMemory, tmp_path: Path, clip: Clip
) -> None:
    _, part.files = detector_in(tmp_path, clip, Head(("bee", "ant", "cat"), "specific"))
    proposed(part, [proposal("p0", 0, BOX, 0.8)])
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    with pytest.raises(ArtifactError, match="each of the 3 categories it learned"):
        run(part, boxes="proposals", categories=tmp_path / "names.txt")
    assert run(part, boxes="proposals", categories=tmp_path / "names.txt", move_boxes=False)


def test_a_detector_is_asked_for_names_it_never_learned(
    part: InMemory, tmp_path: Path, clip: Clip
) -> None:
    _, part.files = detector_in(tmp_path, clip, Head(("ant",)))
    (tmp_path / "splits.json").write_text('{"base": ["ant"], "novel": ["bee", "cat"]}')
    run(part, splits=tmp_path / "splits.json")
    assert part.notes["protocol"]["embeddings"] == "by the language encoder"
    assert part.notes["warnings"] == []


def test_a_detector_that_learned_novel_boxes_or_is_cooled_is_warned_of(
    part: InMemory, tmp_path: Path, clip: Clip
) -> None:
    _, part.files = detector_in(tmp_path, clip, Head(tuple(NAMES)))
    (tmp_path / "splits.json").write_text('{"base": ["ant"], "novel": ["bee", "cat"]}')
    run(part, splits=tmp_path / "splits.json", temperature=0.05)
    learned, cooled = part.notes["warnings"]
    assert "trained on boxes of 2 novel categories ('bee', 'cat')" in learned
    assert "trained at temperature 0.01, and judged at 0.05" in cooled


def test_images_without_an_object_are_left_out_if_asked(part: InMemory, tmp_path: Path) -> None:
    rows = [proposal(name, 0, BOX, 0.9) for name in ("p0", "p1", "bare")]
    proposed(part, rows)
    run(part, boxes="proposals")
    assert {d["image_id"] for d in detections(part)} == {"p0", "p1", "bare"}
    run(part, boxes="proposals", bare_images=False)
    assert {d["image_id"] for d in detections(part)} == {"p0", "p1"}
    protocol = part.notes["protocol"]
    assert (protocol["images"], protocol["images_skipped"]) == (2, 1)


def test_objects_left_out_are_warned_of(part: InMemory, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("ant\nbee")
    run(part, categories=tmp_path / "names.txt", unlisted="ignore")
    (said,) = part.notes["warnings"]
    assert "1 objects were left out: the vocabulary lacks their 1 categories ('cat')" in said


def test_a_preset_and_what_differs_from_it_are_in_the_protocol(
    tmp_path: Path, model: Files
) -> None:
    part = scene(tmp_path, model, [picture(tmp_path, "p", [thing("dog"), thing("car")])])
    metrics = run(part, preset="coco-gt", nms=0.7)
    protocol = json.loads(json.dumps(part.notes["protocol"]))
    assert protocol["preset"] == "coco-gt"
    told = {name: said["used"] for name, said in protocol["deviations"].items()}
    assert told == {"templates": "plain", "resize": "none", "nms": "0.7"}
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
                "not_exhaustive_category_ids": partly,
            }
            for n, (name, (absent, partly)) in enumerate(images.items())
        ],
    }
    path = folder / "lvis.json"
    path.write_text(json.dumps(content))
    return path


def test_lvis_gives_categories_splits_and_rules(tmp_path: Path, model: Files) -> None:
    row = picture(tmp_path, "p", [thing("ant", BOX)])
    part = scene(tmp_path, model, [row])
    annotations = lvis_json(tmp_path, {"p": ([2], []), "elsewhere": ([], [])})
    metrics = run(part, preset="lvis-gt", annotations=annotations, temperature=1.0)
    protocol = part.notes["protocol"]
    assert protocol["vocabulary"]["names"] == ["ant", "bee", "cat_(animal)"]
    assert protocol["vocabulary"]["splits"] == {"all": 3, "base": 2, "novel": 1}
    assert protocol["average_precision"].startswith("LVIS")
    assert protocol["detections_per_image"] == 300
    assert metrics["APr", "all", ""] == (
        pytest.approx(1.0),
        1,
    )  # alone of its category, and never absent
    assert ("APf", "all", "") not in metrics


def test_lvis_names_are_read_aloud_in_prompts(
    tmp_path: Path, model: Files, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = scene(tmp_path, model, [picture(tmp_path, "p", [thing("cat_(animal)", BOX)])])
    annotations = lvis_json(tmp_path, {"p": ([], [])})
    said: list[str] = []

    def listening(clip: Clip, names: Sequence[str], *how: Any) -> torch.Tensor:
        said.extend(names)
        return embed_names(clip, names, *how)

    monkeypatch.setattr("stages.models.text_embeddings.embed_names", listening)
    run(part, annotations=annotations)
    assert said == ["ant", "bee", "cat animal"]


def test_an_image_that_lvis_says_nothing_of_is_refused(tmp_path: Path, model: Files) -> None:
    part = scene(tmp_path, model, [picture(tmp_path, "p", [thing("ant", BOX)])])
    with pytest.raises(ArtifactError, match="say nothing of image p"):
        run(part, annotations=lvis_json(tmp_path, {"q": ([], [])}))


def test_rpn_proposals_with_negative_logits_are_lost_by_the_published_formula_alone(
    tmp_path: Path, model: Files
) -> None:
    part = scene(tmp_path, model, [picture(tmp_path, "p", [thing("dog", BOX)])])
    proposed(part, [proposal("p", 0, BOX, 0.99), proposal("p", 1, [50.0, 50, 90, 90], 0.2)])
    run(part, preset="coco-rpn")
    assert {d["x0"] for d in detections(part)} == {5.0}
    assert max(d["score"] for d in detections(part)) > 0
    run(part, preset="coco-rpn", score="sqrt-sigmoid")
    assert {d["x0"] for d in detections(part)} == {5.0, 50.0}


def test_a_box_that_is_moved_out_of_all_bounds_is_dropped(
    part: InMemory, tmp_path: Path, clip: Clip
) -> None:
    _, part.files = detector_in(tmp_path, clip, Head(tuple(NAMES), weights=(0.0, 1, 1, 1)))
    proposed(part, [proposal("p0", 0, BOX, 0.8)])
    assert run(part, boxes="proposals")["AP", "all", ""][0] == 0.0  # dx / 0 is without end
    assert detections(part) == []
