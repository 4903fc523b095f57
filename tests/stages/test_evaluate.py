from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from schemas.detections import DETECTIONS
from schemas.errors import ArtifactError, OptionError, SourceError
from schemas.images import IMAGES
from schemas.metrics import METRICS
from schemas.proposals import PROPOSALS
from stages.evaluate import Evaluate
from stages.evaluation.recognise import PoolingConfig, region_features
from stages.models.clip import load_clip
from stages.models.text_embeddings import embed_names
from tests.in_memory import InMemory
from tests.stages.models.texts import encode_texts
from tests.stages.models.tiny import tiny_files

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models.clip import Clip

rng = np.random.default_rng()  # fresh every run: what is asserted holds for any numbers
NAMES = ["ant", "bee", "cat"]


def picture(
    folder: Path, name: str, objects: list[dict[str, Any]], side: int = 96
) -> dict[str, Any]:
    path = folder / f"{name}.png"
    Image.fromarray(rng.integers(0, 255, (side, side, 3)).astype("u1")).save(path)
    content = path.read_bytes()
    return {
        "image_id": name, "source": "folder", "split": None, "uri": str(path), "member": None,
        "offset": None, "num_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(),
        "format": "PNG", "width": side, "height": side, "orientation": 1, "captions": [],
        "objects": objects, "content": None,
    }  # fmt: skip


def thing(category: str, box: list[float] | None = None, is_crowd: bool = False) -> dict[str, Any]:
    if box is None:
        x, y = rng.uniform(0, 50, 2)
        box = [x, y, x + rng.uniform(10, 40), y + rng.uniform(10, 40)]
    corners = dict(zip(("x0", "y0", "x1", "y1"), map(float, np.float32(box)), strict=True))
    area = (box[2] - box[0]) * (box[3] - box[1])
    return {"category": category, **corners, "area": area, "is_crowd": is_crowd}


def proposal(image_id: str, region: int, box: list[float], objectness: float) -> dict[str, Any]:
    corners = dict(zip(("x0", "y0", "x1", "y1"), box, strict=True))
    logit = math.log(objectness / (1 - objectness))
    numbers = {"objectness": objectness, "objectness_logit": logit}
    return {"image_id": image_id, "region": region, **corners, **numbers}


@pytest.fixture
def model(tmp_path: Path) -> dict[tuple[str, str], Path]:
    return {("model", name): path for (_, name), path in tiny_files(tmp_path).items()}


@pytest.fixture
def clip(model: dict[tuple[str, str], Path]) -> Clip:
    return load_clip(model["model", "model.json"], model["model", "weights.safetensors"], "cpu")


@pytest.fixture
def part(tmp_path: Path, model: dict[tuple[str, str], Path]) -> InMemory:
    """Five photographs of noise: among them one with nothing on it and one with a crowd."""
    rows = [
        picture(tmp_path, f"p{n}", [thing(NAMES[(n + k) % 3]) for k in range(3)]) for n in range(3)
    ]
    rows.append(picture(tmp_path, "empty", []))
    rows.append(picture(tmp_path, "crowd", [thing("ant", is_crowd=True), thing("cat")]))
    return scene(tmp_path, model, rows)


def scene(folder: Path, model: dict[tuple[str, str], Path], rows: list[dict[str, Any]]) -> InMemory:
    tables = {"images": pa.Table.from_pylist(rows, schema=IMAGES.arrow)}
    return InMemory(tables, folder=folder, files=model)


def evaluate(part: InMemory, **options: Any) -> dict[tuple[str, str, str], tuple[float, int]]:
    stage = Evaluate(**{"templates": "plain", "resize": "none", "device": "cpu", **options})
    (batch,) = stage.run(part)
    METRICS.check(batch)
    rows = batch.to_pylist()
    return {(r["metric"], r["split"], r["category"]): (r["value"], r["count"]) for r in rows}


def detections(part: InMemory) -> list[dict[str, Any]]:
    table = pq.read_table(part.folder / "detections.parquet")
    DETECTIONS.check(table)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def by_hand(clip: Clip, row: dict[str, Any], box: list[float]) -> list[float]:
    """Cosine of one box and each name in plain float64: one region, one trunk pass, one prompt."""
    pixels = torch.from_numpy(np.asarray(Image.open(row["uri"])).copy()).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in (clip.spec.mean, clip.spec.std))
    with torch.no_grad():
        (feature,) = clip.encode_regions(((pixels - mean) / std)[None], [torch.tensor([box])])
        texts = encode_texts(clip, [f"a photo of a {name}." for name in NAMES])
    found = []
    for text in texts.double():
        f = feature.double()
        found.append(float(f @ text / (f.norm() * text.norm())))
    return found


def test_top_one_and_ranks_are_those_of_a_slow_float64_loop(part: InMemory, clip: Clip) -> None:
    metrics = evaluate(part)
    right, seen = 0, {(d["image_id"], d["detection"]): d for d in detections(part)}
    for row in part.tables["images"].to_pylist():
        for index, o in enumerate(row["objects"]):
            if o["is_crowd"]:
                assert (row["image_id"], index) not in seen
                continue
            said = seen.pop((row["image_id"], index))
            cosine = by_hand(clip, row, [o[c] for c in ("x0", "y0", "x1", "y1")])
            order = sorted(range(3), key=lambda k: -cosine[k])
            right += NAMES[order[0]] == o["category"]
            total = 1 + sum(math.exp(c / 0.01) for c in cosine)
            assert said["truth"] == o["category"]
            assert said["category"] == NAMES[order[0]]
            assert said["rank"] == order.index(NAMES.index(o["category"]))
            assert said["score"] == pytest.approx(
                math.exp(cosine[order[0]] / 0.01) / total, abs=1e-3
            )
    assert not seen
    assert metrics["top1", "all", ""] == (pytest.approx(right / 10), 10)
    assert metrics["top5", "all", ""] == (1.0, 10)
    assert part.advanced == 5


def test_metrics_are_given_for_each_split_in_the_file(part: InMemory, tmp_path: Path) -> None:
    (tmp_path / "splits.json").write_text('{"base": ["ant", "cat"], "novel": ["bee"]}')
    metrics = evaluate(part, splits=tmp_path / "splits.json")
    assert metrics["top1", "base", ""][1] == 7
    assert metrics["top1", "novel", ""][1] == 3
    assert metrics["AP50", "novel", ""] == metrics["AP50", "all", "bee"]
    assert part.notes["protocol"]["vocabulary"]["names"] == ["ant", "cat", "bee"]


def test_the_protocol_says_how_it_was_measured(part: InMemory) -> None:
    evaluate(part, temperature=0.5)
    protocol = json.loads(json.dumps(part.notes["protocol"]))
    expected = {
        "boxes": "ground-truth", "pooling": "roialign", "resize": "none", "temperature": 0.5,
        "score": "probability", "nms": 0.5, "detections_per_image": 100, "images": 5, "objects": 10,
        "templates": ["a photo of a {}."], "averaging": "reference", "score_threshold": 0.001,
    }  # fmt: skip
    assert protocol.items() >= expected.items()
    assert protocol["vocabulary"]["sha256"] == hashlib.sha256(b"ant\nbee\ncat").hexdigest()


def test_proposals_that_are_the_objects_and_well_named_give_perfect_precision(
    tmp_path: Path, model: dict[tuple[str, str], Path], clip: Clip
) -> None:
    """Each object is called what the model will call it, so only the planted box is a mistake."""
    boxes = [[4.0, 4, 40, 40], [50.0, 50, 90, 90]]
    row = picture(tmp_path, "p", [])
    names = [NAMES[int(np.argmax(by_hand(clip, row, box)))] for box in boxes]
    row["objects"] = [thing(name, box) for name, box in zip(names, boxes, strict=True)]
    part = scene(tmp_path, model, [row, picture(tmp_path, "bare", [])])
    rows = [proposal("p", n, box, 0.9 - n / 10) for n, box in enumerate(boxes)]
    part.tables["proposals"] = pa.Table.from_pylist(rows, schema=PROPOSALS.arrow)
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    only_the_best = {
        "temperature": 1e-4,
        "boxes": "proposals",
        "categories": tmp_path / "names.txt",
    }
    metrics = evaluate(part, **only_the_best)
    assert metrics["AP", "all", ""][0] == metrics["AR100", "all", ""][0] == 1.0
    assert ("top1", "all", "") not in metrics
    assert [d["truth"] for d in detections(part)] == [None, None]

    planted = [proposal("p", 0, [4.0, 50, 40, 90], 0.99), *rows]  # surest, and on nothing
    for region, r in enumerate(planted):
        r["region"] = region
    part.tables["proposals"] = pa.Table.from_pylist(planted, schema=PROPOSALS.arrow)
    assert evaluate(part, **only_the_best)["AP", "all", ""][0] < 1.0
    assert metrics["AP", "all", ""][1] == 2


@pytest.mark.parametrize("score", ["probability", "sqrt-objectness", "sqrt-logit"])
def test_scores_follow_their_formula(part: InMemory, clip: Clip, score: str) -> None:
    box = [5.0, 5, 60, 70]
    rows = [proposal("p0", 0, box, 0.8), proposal("p1", 0, box, 0.3)]
    part.tables["proposals"] = pa.Table.from_pylist(rows, schema=PROPOSALS.arrow)
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
    part.tables["proposals"] = pa.Table.from_pylist([], schema=PROPOSALS.arrow)
    metrics = evaluate(part, boxes="proposals")
    assert metrics["AP", "all", ""] == (0.0, 10)
    assert detections(part) == []


def test_a_vocabulary_of_one_is_always_right(
    tmp_path: Path, model: dict[tuple[str, str], Path]
) -> None:
    part = scene(tmp_path, model, [picture(tmp_path, "p", [thing("ant", [3, 3, 50, 50])])])
    metrics = evaluate(part)
    assert metrics["top1", "all", ""] == (1.0, 1)
    assert metrics["AP", "all", ""] == (1.0, 1)


def test_objects_outside_the_vocabulary_are_refused_by_name_or_left_out(
    part: InMemory, tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_text("ant\ncat")
    with pytest.raises(ArtifactError, match=r"1 categories .* \('bee'\).*--unlisted ignore"):
        evaluate(part, categories=tmp_path / "names.txt")
    metrics = evaluate(part, categories=tmp_path / "names.txt", unlisted="ignore")
    assert metrics["top1", "all", ""][1] == 7
    assert part.notes["protocol"]["objects_ignored"] == 3
    kept = {d["detection"] for d in detections(part) if d["image_id"] == "p0"}
    assert kept == {0, 2}  # the places among all objects of the image


def test_an_image_that_is_gone_goes_to_quarantine_and_its_objects_do_not_count(
    part: InMemory, tmp_path: Path
) -> None:
    (tmp_path / "p1.png").unlink()
    assert evaluate(part)["top1", "all", ""][1] == 7
    assert [record[:2] for record in part.refused] == [("p1", "unreadable")]


def test_images_without_objects_leave_nothing_to_measure(
    tmp_path: Path, model: dict[tuple[str, str], Path]
) -> None:
    part = scene(tmp_path, model, [picture(tmp_path, "bare", [])])
    with pytest.raises(ArtifactError, match="no image has an object"):
        evaluate(part)
    part = scene(tmp_path, model, [picture(tmp_path, "c", [thing("ant", is_crowd=True)])])
    with pytest.raises(ArtifactError, match="no image that can be read has an object"):
        evaluate(part)


def test_parts_are_examined_one_after_the_other_and_count_together(
    tmp_path: Path, part: InMemory
) -> None:
    whole = evaluate(part)
    images = part.tables["images"]
    pieces = [
        InMemory({"images": images.slice(at, 2)}, tmp_path, files=part.files) for at in (0, 2, 4)
    ]
    single_task = InMemory({"images": images}, tmp_path, files=part.files, more=pieces)
    assert evaluate(single_task) == whole


def test_a_crop_is_the_box_made_square_for_the_image_encoder(
    tmp_path: Path, part: InMemory, clip: Clip
) -> None:
    row = part.tables["images"].to_pylist()[0]
    picture = Image.open(row["uri"])
    box = (8, 16, 56, 40)
    look = PoolingConfig("crop", "none", "bicubic", margin=0.25)
    (found,) = region_features(clip, np.asarray(picture), np.float32([box]), look)
    crop = picture.crop((0, 10, 68, 46)).resize((64, 64), Image.Resampling.BICUBIC)  # 8 - 12 < 0
    pixels = torch.from_numpy(np.asarray(crop).copy()).permute(2, 0, 1)[None] / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in (clip.spec.mean, clip.spec.std))
    with torch.no_grad():
        (expected,) = clip.encode_images((pixels - mean) / std)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert evaluate(part, pooling="crop")["top1", "all", ""][1] == 10
    assert part.notes["protocol"]["crop_margin"] == 0.0


def test_a_box_thinner_than_a_pixel_or_outside_can_still_be_cropped(
    part: InMemory, clip: Clip
) -> None:
    image = np.asarray(Image.open(part.tables["images"]["uri"][0].as_py()))
    boxes = np.float32([[5, 5, 5.01, 5.01], [95.99, 0, 96, 96], [200, 200, 300, 300]])
    found = region_features(clip, image, boxes, PoolingConfig("crop", "none", "bilinear", 0.0))
    assert found.shape == (3, clip.width)
    assert np.isfinite(found).all()


def test_many_boxes_are_the_same_as_few(part: InMemory, clip: Clip) -> None:
    image = np.asarray(Image.open(part.tables["images"]["uri"][0].as_py()))
    corner = rng.uniform(0, 60, (150, 2))
    boxes = np.concatenate([corner, corner + 20], axis=1).astype("f4")
    look = PoolingConfig("roialign", "native", "bilinear", 0.0)
    together = region_features(clip, image, boxes, look)
    alone = region_features(clip, image, boxes[140:141], look)
    np.testing.assert_allclose(together[140:141], alone, rtol=1e-3, atol=1e-4)


def test_prompts_and_averaging_are_as_in_embed_concepts(part: InMemory, clip: Clip) -> None:
    evaluate(part, templates="paper", averaging="openai", limit=1)
    protocol = part.notes["protocol"]
    assert len(protocol["templates"]) == 81
    rows = part.tables["images"].to_pylist()
    embeddings = embed_names(clip, NAMES, protocol["templates"], "openai", 64).double()
    o = rows[0]["objects"][0]
    look = PoolingConfig("roialign", "none", "bilinear", 0.0)
    box = np.float32([[o[c] for c in ("x0", "y0", "x1", "y1")]])
    (feature,) = region_features(clip, np.asarray(Image.open(rows[0]["uri"])), box, look)
    best = int((embeddings @ torch.from_numpy(feature).double()).argmax())
    assert detections(part)[0]["category"] == NAMES[best]


def test_ground_truth_has_no_objectness_to_multiply_by() -> None:
    with pytest.raises(OptionError, match="--score sqrt-logit needs an objectness"):
        Evaluate(score="sqrt-logit")


def test_a_size_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(OptionError, match=r"--resize takes SHORTESTxLONGEST.*'huge'"):
        Evaluate(resize="huge")


def test_proposals_are_asked_for_only_if_they_are_named() -> None:
    assert list(Evaluate().requires()) == ["images", "model", "embeddings"]
    reads = Evaluate(boxes="proposals").requires()
    assert list(reads) == ["images", "proposals", "model", "embeddings"]
    assert reads["embeddings"].optional
    assert reads["embeddings"].named
    assert not reads["proposals"].optional


def test_proposals_without_logits_are_refused_with_the_way_out(part: InMemory) -> None:
    row = {**proposal("p0", 0, [1.0, 1, 50, 50], 0.5), "objectness_logit": None}
    part.tables["proposals"] = pa.Table.from_pylist([row], schema=PROPOSALS.arrow)
    with pytest.raises(ArtifactError, match=r"have no logits.*--score sqrt-objectness"):
        evaluate(part, boxes="proposals", score="sqrt-logit")


def test_lists_and_templates_are_known_by_what_they_say(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ant")
    (tmp_path / "b.txt").write_text("ant")
    a, b = (Evaluate(categories=tmp_path / name) for name in ("a.txt", "b.txt"))
    assert a.digests() == b.digests()
    assert a.digests() != Evaluate().digests()
    assert Evaluate(templates="plain").digests() != Evaluate().digests()
    assert "categories" not in a.recipe()


def test_a_missing_model_file_is_said(part: InMemory, tmp_path: Path) -> None:
    part.files["model", "weights.safetensors"] = tmp_path / "gone.safetensors"
    with pytest.raises(SourceError, match=r"gone\.safetensors"):
        evaluate(part)
