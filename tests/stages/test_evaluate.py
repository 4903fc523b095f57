from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from schemas.errors import ArtifactError, OptionError, SourceError
from schemas.evaluated_detections import EVALUATED_DETECTIONS
from schemas.metrics import METRICS
from stages.evaluate import Evaluate
from stages.evaluation.region_features import PoolingConfig, region_features
from stages.models.clip import load_clip
from stages.models.text_embeddings import embed_names
from stages.outcome import Result
from tests.in_memory import InMemory
from tests.stages.evaluation.image_rows import (
    image_row,
    object_row,
    part_of,
    proposal_row,
    set_proposals,
)
from tests.stages.models.texts import encode_texts
from tests.stages.models.tiny import tiny_files

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models.clip import Clip

rng = np.random.default_rng(49)
NAMES = ["ant", "bee", "cat"]


@pytest.fixture
def model(tmp_path: Path) -> dict[tuple[str, str], Path]:
    return {("model", name): path for (_, name), path in tiny_files(tmp_path).items()}


@pytest.fixture
def clip(model: dict[tuple[str, str], Path]) -> Clip:
    return load_clip(model["model", "model.json"], model["model", "weights.safetensors"], "cpu")


@pytest.fixture
def part(tmp_path: Path, model: dict[tuple[str, str], Path]) -> InMemory:
    """Five images of noise: one of them without objects, one with a crowd."""
    rows = [
        image_row(tmp_path, f"p{n}", [object_row(NAMES[(n + k) % 3]) for k in range(3)])
        for n in range(3)
    ]
    rows.append(image_row(tmp_path, "empty", []))
    rows.append(image_row(tmp_path, "crowd", [object_row("ant", is_crowd=True), object_row("cat")]))
    return part_of(tmp_path, model, rows)


def evaluate(part: InMemory, **options: Any) -> dict[tuple[str, str, str], tuple[float, int]]:
    stage = Evaluate(
        **{"templates": "plain", "resize": "none", "device": "cpu", "pictures": False, **options}
    )
    (batch,) = stage.run(part)
    METRICS.check(batch)
    rows = batch.to_pylist()
    return {(r["metric"], r["split"], r["category"]): (r["value"], r["count"]) for r in rows}


def detections(part: InMemory) -> list[dict[str, Any]]:
    table = pq.read_table(part.folder / "evaluated_detections.parquet")
    EVALUATED_DETECTIONS.check(table)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def by_hand(clip: Clip, row: dict[str, Any], box: list[float]) -> list[float]:
    """Cosine of one box and each name in plain float64: one region, one trunk pass, one prompt."""
    pixels = torch.from_numpy(np.asarray(Image.open(row["uri"])).copy()).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in (clip.spec.mean, clip.spec.std))
    with torch.no_grad():
        (feature,) = clip.encode_regions(((pixels - mean) / std)[None], [torch.tensor([box])])
        texts = encode_texts(clip, [f"a photo of a {name}." for name in NAMES])
    cosines = []
    for text in texts.double():
        f = feature.double()
        cosines.append(float(f @ text / (f.norm() * text.norm())))
    return cosines


@pytest.mark.slow
def test_top_one_and_ranks_are_those_of_a_slow_float64_loop(part: InMemory, clip: Clip) -> None:
    metrics = evaluate(part)
    correct, unchecked = 0, {(d["image_id"], d["detection"]): d for d in detections(part)}
    for row in part.tables["images"].to_pylist():
        for index, o in enumerate(row["objects"]):
            if o["is_crowd"]:
                assert (row["image_id"], index) not in unchecked
                continue
            detection = unchecked.pop((row["image_id"], index))
            cosine = by_hand(clip, row, [o[c] for c in ("x0", "y0", "x1", "y1")])
            order = sorted(range(3), key=lambda k: -cosine[k])
            correct += NAMES[order[0]] == o["category"]
            total = 1 + sum(math.exp(c / 0.07) for c in cosine)  # the temperature of the weights
            assert detection["truth"] == o["category"]
            assert detection["category"] == NAMES[order[0]]
            assert detection["rank"] == order.index(NAMES.index(o["category"]))
            assert detection["score"] == pytest.approx(
                math.exp(cosine[order[0]] / 0.07) / total, abs=1e-3
            )
    assert not unchecked
    assert metrics["top1", "all", ""] == (pytest.approx(correct / 10), 10)
    assert metrics["top5", "all", ""] == (1.0, 10)
    assert part.advanced == 5


@pytest.mark.slow
def test_metrics_are_given_for_each_split_in_the_file(part: InMemory, tmp_path: Path) -> None:
    (tmp_path / "splits.json").write_text('{"base": ["ant", "cat"], "novel": ["bee"]}')
    metrics = evaluate(part, splits=tmp_path / "splits.json")
    assert metrics["top1", "base", ""][1] == 7
    assert metrics["top1", "novel", ""][1] == 3
    assert metrics["AP50", "novel", ""] == metrics["AP50", "all", "bee"]
    assert part.notes["protocol"]["vocabulary"]["names"] == ["ant", "cat", "bee"]


@pytest.mark.slow
def test_the_protocol_records_how_it_was_measured(part: InMemory) -> None:
    evaluate(part, temperature=0.5)
    protocol = json.loads(json.dumps(part.notes["protocol"]))
    expected = {
        "boxes": "ground-truth", "pooling": "roialign", "resize": "none", "temperature": 0.5,
        "score": "probability", "nms": 0.5, "detections_per_image": 100, "images": 5, "objects": 10,
        "templates": ["a photo of a {}."], "averaging": "reference", "score_threshold": 0.001,
    }  # fmt: skip
    assert protocol.items() >= expected.items()
    assert protocol["vocabulary"]["sha256"] == hashlib.sha256(b"ant\nbee\ncat").hexdigest()


@pytest.mark.slow
def test_files_and_pictures_lie_beside_the_metrics(part: InMemory) -> None:
    metrics = evaluate(part, pictures=True)
    for name in ("confusions", "curves", "calibration", "matches", "ground_truth"):
        assert pq.read_metadata(part.folder / f"{name}.parquet").num_rows > 0
    for name in ("precision_recall", "calibration"):
        assert (part.folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert metrics["ECE", "all", ""][1] == 10


@pytest.mark.slow
def test_proposals_equal_to_the_objects_and_classified_right_have_perfect_precision(
    tmp_path: Path, model: dict[tuple[str, str], Path], clip: Clip
) -> None:
    """Each object has the category that the model predicts, so only the added box is wrong."""
    boxes = [[4.0, 4, 40, 40], [50.0, 50, 90, 90]]
    row = image_row(tmp_path, "p", [])
    names = [NAMES[int(np.argmax(by_hand(clip, row, box)))] for box in boxes]
    row["objects"] = [object_row(name, box) for name, box in zip(names, boxes, strict=True)]
    part = part_of(tmp_path, model, [row, image_row(tmp_path, "bare", [])])
    rows = [proposal_row("p", n, box, 0.9 - n / 10) for n, box in enumerate(boxes)]
    set_proposals(part, rows)
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    options = {
        "temperature": 1e-4,
        "boxes": "proposals",
        "categories": tmp_path / "names.txt",
    }
    metrics = evaluate(part, **options)
    assert metrics["AP", "all", ""][0] == metrics["AR100", "all", ""][0] == 1.0
    assert ("top1", "all", "") not in metrics
    assert [d["truth"] for d in detections(part)] == [None, None]

    added = [proposal_row("p", 0, [4.0, 50, 40, 90], 0.99), *rows]  # highest score, on no object
    for region, r in enumerate(added):
        r["region"] = region
    set_proposals(part, added)
    assert evaluate(part, **options)["AP", "all", ""][0] < 1.0
    assert metrics["AP", "all", ""][1] == 2


@pytest.mark.slow
@pytest.mark.parametrize("score", ["probability", "sqrt-objectness", "sqrt-logit"])
def test_scores_follow_their_formula(part: InMemory, clip: Clip, score: str) -> None:
    box = [5.0, 5, 60, 70]
    rows = [proposal_row("p0", 0, box, 0.8), proposal_row("p1", 0, box, 0.3)]
    set_proposals(part, rows)
    evaluate(part, boxes="proposals", score=score, temperature=1.0)
    first = part.tables["images"].to_pylist()[0]
    cosine = by_hand(clip, first, box)
    probability = max(math.exp(c) for c in cosine) / (1 + sum(math.exp(c) for c in cosine))
    best = detections(part)[0]
    expected = {
        "probability": probability,
        "sqrt-objectness": math.sqrt(probability * 0.8),
        "sqrt-logit": math.sqrt(probability * math.log(4)),
    }
    assert best["score"] == pytest.approx(expected[score], rel=1e-4)
    # a negative logit has no root: the published formula loses the proposal
    named = {d["image_id"] for d in detections(part)}
    assert named == ({"p0"} if score == "sqrt-logit" else {"p0", "p1"})


def test_an_image_without_proposals_has_no_detections_and_its_objects_are_missed(
    part: InMemory,
) -> None:
    set_proposals(part, [])
    metrics = evaluate(part, boxes="proposals")
    assert metrics["AP", "all", ""] == (0.0, 10)
    assert detections(part) == []


def test_a_vocabulary_of_one_is_always_right(
    tmp_path: Path, model: dict[tuple[str, str], Path]
) -> None:
    part = part_of(tmp_path, model, [image_row(tmp_path, "p", [object_row("ant", [3, 3, 50, 50])])])
    metrics = evaluate(part)
    assert metrics["top1", "all", ""] == (1.0, 1)
    assert metrics["AP", "all", ""] == (1.0, 1)


def test_objects_outside_the_vocabulary_are_refused_with_their_category_or_left_out(
    part: InMemory, tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_text("ant\ncat")
    with pytest.raises(ArtifactError, match=r"1 categories .* \('bee'\).*--unlisted ignore"):
        evaluate(part, categories=tmp_path / "names.txt")
    (tmp_path / "alike.txt").write_text("ant\nbe\u0435\ncat", "utf-8")
    with pytest.raises(ArtifactError, match=r"'bee'; 'bee' looks like 'be\u0435' \(U\+0435\)"):
        evaluate(part, categories=tmp_path / "alike.txt")
    metrics = evaluate(part, categories=tmp_path / "names.txt", unlisted="ignore")
    assert metrics["top1", "all", ""][1] == 7
    assert part.notes["protocol"]["objects_ignored"] == 3
    kept = {d["detection"] for d in detections(part) if d["image_id"] == "p0"}
    assert kept == {0, 2}  # indices among all objects of the image


@pytest.mark.slow
def test_an_image_that_is_gone_goes_to_quarantine_and_its_objects_do_not_count(
    part: InMemory, tmp_path: Path
) -> None:
    (tmp_path / "p1.png").unlink()
    assert evaluate(part)["top1", "all", ""][1] == 7
    assert [record[:2] for record in part.refused] == [("p1", "unreadable")]


@pytest.mark.slow
def test_several_parts_have_the_metrics_of_one_part_with_all_images(
    tmp_path: Path, part: InMemory
) -> None:
    whole = evaluate(part)
    images = part.tables["images"]
    pieces = [
        InMemory({"images": images.slice(at, 2)}, tmp_path, files=part.files) for at in (0, 2, 4)
    ]
    single_task = InMemory({"images": images}, tmp_path, files=part.files, more=pieces)
    assert evaluate(single_task) == whole


@pytest.mark.slow
def test_prompts_and_averaging_are_as_in_embed_concepts(part: InMemory, clip: Clip) -> None:
    evaluate(part, templates="paper", averaging="openai", limit=1)
    protocol = part.notes["protocol"]
    assert len(protocol["templates"]) == 81
    rows = part.tables["images"].to_pylist()
    embeddings = embed_names(clip, NAMES, protocol["templates"], "openai", 64).double()
    o = rows[0]["objects"][0]
    pooling = PoolingConfig("roialign", "none", "bilinear", 0.0)
    box = np.float32([[o[c] for c in ("x0", "y0", "x1", "y1")]])
    (feature,) = region_features(clip, np.asarray(Image.open(rows[0]["uri"])), box, pooling)
    best = int((embeddings @ torch.from_numpy(feature).double()).argmax())
    assert detections(part)[0]["category"] == NAMES[best]


def test_ground_truth_has_no_objectness_to_multiply_by() -> None:
    with pytest.raises(OptionError, match="--score sqrt-logit needs an objectness"):
        Evaluate(score="sqrt-logit")


def test_a_wrong_size_is_refused_at_once() -> None:
    with pytest.raises(OptionError, match=r"--resize takes SHORTESTxLONGEST.*'huge'"):
        Evaluate(resize="huge")


def test_proposals_are_read_only_if_they_are_evaluated() -> None:
    assert list(Evaluate().requires()) == ["images", "model", "embeddings", "duplicates"]
    reads = Evaluate(boxes="proposals").requires()
    assert list(reads) == ["images", "proposals", "model", "embeddings", "duplicates"]
    assert all(reads[role].optional and reads[role].named for role in ("embeddings", "duplicates"))
    assert not reads["proposals"].optional


def test_the_digest_of_lists_and_templates_is_that_of_their_content(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ant")
    (tmp_path / "b.txt").write_text("ant")
    a, b = (Evaluate(categories=tmp_path / name) for name in ("a.txt", "b.txt"))
    assert a.digests() == b.digests()
    assert a.digests() != Evaluate().digests()
    assert Evaluate(templates="plain").digests() != Evaluate().digests()
    assert "categories" not in a.recipe()


def test_a_missing_model_file_is_refused_with_its_name(part: InMemory, tmp_path: Path) -> None:
    part.files["model", "weights.safetensors"] = tmp_path / "gone.safetensors"
    with pytest.raises(SourceError, match=r"gone\.safetensors"):
        evaluate(part)


@pytest.mark.slow
def test_a_tower_without_dense_tokens_to_choose_is_no_fault_of_the_images(part: InMemory) -> None:
    with pytest.raises(SourceError, match="so leave --dense out"):
        evaluate(part, dense="value-path")
    assert not part.refused


def test_a_precision_is_noted_deviates_from_presets_and_changes_little(part: InMemory) -> None:
    exact = evaluate(part)
    assert evaluate(part, precision="float32") == exact
    assert "precision" not in part.notes
    rough = evaluate(part, precision="bfloat16", preset="coco-gt")
    assert part.notes["precision"] == "bfloat16"
    deviation = {"preset": "float32", "used": "bfloat16"}
    assert part.notes["protocol"]["deviations"]["precision"] == deviation
    assert rough.keys() == exact.keys()
    result = Result(1, {}, {"scores": {"all": {"top1": 0.5}}, "precision": "bfloat16"})
    assert Evaluate().outcome(result).summary == ["top-1 50.0; computed in bfloat16"]
    with pytest.raises(OptionError, match="--precision float16 needs a CUDA device"):
        evaluate(part, precision="float16")
