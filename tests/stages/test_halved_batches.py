"""Stages on a device with little memory: the bytes are those of smaller batches.

The device is simulated on a CPU: each network refuses more than so many items at once, as torch
does. What is computed together decides the last bits on a CPU too, so smaller batches are compared.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from pipeline.demo import weights_folder
from pipeline.store import catalog
from schemas.errors import StageError
from stages.detect import Detect
from stages.embed_concepts import EmbedConcepts
from stages.evaluate import Evaluate
from stages.evaluation import category_embeddings, region_features
from stages.extract_concepts import ExtractConcepts
from stages.featurize import Featurize
from stages.import_weights import ImportWeights
from stages.ingest import Ingest
from stages.label import Label
from stages.labelling import concept_matching
from stages.models import detector_building, text_embeddings
from stages.models.network import Clip
from stages.models.rpn import Rpn
from stages.models.rpn_backbones import RpnBackbone
from stages.propose import Propose
from stages.synthetic.dataset_writers import write_scenes
from stages.train_rpn import TrainRpn
from tests.pipeline.helpers import make

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact
    from stages.base import Stage

pytestmark = pytest.mark.slow
SMALL = {"resize": "96x200"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of seven scenes in two parts, up to features."""
    folder = tmp_path_factory.mktemp("little_memory")
    root, weights = folder / "store", weights_folder()
    write_scenes(folder / "scenes", "scenes", 7, seed=3, size=(96, 80))
    make(Ingest(sources=(str(folder / "scenes"),), part_images=4), root)
    make(ExtractConcepts(min_frequency=1), root)
    model, trained = (str(weights / name) for name in ("teacher_model.json", "teacher.safetensors"))
    make(ImportWeights(file=trained, kind="teacher", architecture=model), root)
    make(EmbedConcepts(templates="plain"), root)
    make(Propose(random=True, regions=9), root)
    make(Featurize(**SMALL), root)
    return root


def refuse_above(most: int, owner: object, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a function or method have memory for so many items, those of its last argument."""
    real = getattr(owner, name)

    def with_little_memory(*given: Any) -> Any:
        items = next(one for one in given if isinstance(one, torch.Tensor))
        if len(items) > most:
            raise torch.OutOfMemoryError(f"CUDA out of memory: {len(items)} are too many")
        return real(*given)

    monkeypatch.setattr(owner, name, with_little_memory)


def little_memory(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_above(most, Clip, "trunk", monkeypatch)
    refuse_above(most, Clip, "embed_crops", monkeypatch)
    refuse_above(most, Clip, "encode_images", monkeypatch)
    refuse_above(most, concept_matching, "_start", monkeypatch)
    refuse_above(most, text_embeddings, "encode_trimmed", monkeypatch)


def hashes(artifact: Artifact) -> list[tuple[str, ...]]:
    return [(part.sha256, *(f.sha256 for f in part.files)) for part in artifact.parts]


ALONE = {"batch_images": 1, "batch_regions": 1}
FEATURES = ["image", "region"]


@pytest.mark.parametrize(
    ("stage", "alone", "halved"),
    [
        (Featurize(**SMALL), ALONE, FEATURES),
        (Featurize(pooling="crop"), ALONE, ["region"]),
        (Label(), {"block_regions": 1}, ["labelled region"]),
        (
            Label(from_images=True, **SMALL),
            {"block_regions": 1, **ALONE},
            [*FEATURES, "labelled region"],
        ),
        (
            Detect(names="dog, cat", score_threshold=0, templates="plain", **SMALL),
            {},
            ["prompt", "region"],
        ),
        (Evaluate(boxes="proposals", templates="plain", **SMALL), {}, ["prompt", "region"]),
        (Evaluate(pooling="crop", templates="plain"), {}, ["prompt", "region"]),
        (EmbedConcepts(templates="plain"), {"batch": 1}, ["prompt"]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_bytes_are_those_of_batches_that_fit_from_the_start(
    root: Path,
    stage: Stage,
    alone: dict[str, int],
    halved: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pins = {"model": "teachers"} if "model" in stage.reads else {}
    with monkeypatch.context() as patches:
        patches.setattr(region_features, "_REGIONS_PER_BATCH", 1)
        patches.setattr(category_embeddings, "_PROMPTS_PER_BATCH", 1)
        patches.setattr(detector_building, "_PROMPTS", 1)
        expected = make(replace(stage, **alone), root, pins)
    expected_hashes = hashes(expected)
    little_memory(1, monkeypatch)
    little = make(stage, root, pins, force=True)
    assert hashes(little) == expected_hashes
    assert sorted(little.manifest.notes["halved"]) == sorted(halved)
    *same, remark = little.manifest.notes["summary"]
    assert same == expected.manifest.notes["summary"]
    assert remark.startswith("memory of the device ran out")


def test_an_image_that_has_no_room_alone_is_one_sentence(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    little_memory(0, monkeypatch)
    with pytest.raises(StageError) as raised:
        make(Featurize(resize="64x64"), root)
    assert str(raised.value).startswith(
        "rc featurize: the device has too little memory: one image alone has no room: give a "
        "smaller --resize; or end other programs that use it"
    )


def test_proposals_are_made_image_by_image_so_nothing_can_be_halved(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(TrainRpn(steps=1, images_per_batch=1, threads=1), root)
    assert catalog.find(root, "rpns")
    refuse_above(0, Rpn, "_hidden", monkeypatch)
    with pytest.raises(StageError, match="the device has too little memory: give a smaller --res"):
        make(Propose(), root)


def test_training_says_which_option_to_lower(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_above(1, RpnBackbone, "forward", monkeypatch)
    with pytest.raises(StageError, match="or give --images-per-batch 1 instead of 2"):
        make(TrainRpn(steps=1, images_per_batch=2, threads=1), root)
