from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
import torch

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.errors import ArtifactError, OptionError
from stages.models.clip import Clip, save_clip
from stages.models.detector import Detector, HeadSpec, predict, save_detector
from stages.models.detector_building import (
    NameEmbeddingConfig,
    build_detector,
    clip_of,
    detector_for_names,
    load_model,
    name_embeddings,
    own_temperature,
    read_model,
    reset_image_tower,
)
from stages.models.text_embeddings import embed_names
from tests.stages.models.random_boxes import boxes
from tests.stages.models.tiny import tiny_clip

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("cat", "dog", "bus")
PROMPTS = NameEmbeddingConfig(("a {}.", "one {}"), "reference")


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Clip:
    return tiny_clip(tmp_path_factory.mktemp("clip"))


def learned(clip: Clip, regression: str = "agnostic", background: str = "learned") -> Detector:
    torch.manual_seed(1)
    head = HeadSpec(NAMES, regression, background, temperature=0.05)
    detector = Detector(clip, head, torch.randn(3, clip.width))
    if detector.bbox_pred is not None:
        torch.nn.init.normal_(detector.bbox_pred.weight)
        torch.nn.init.normal_(detector.bbox_pred.bias)
    return detector


def table_of(names: list[str], vectors: torch.Tensor, order: list[int]) -> pa.Table:
    columns = {"concept_id": range(len(names)), "concept": names, "prompts": [1] * len(names)}
    rows = CONCEPT_EMBEDDINGS.batch(columns | {"embedding": vectors.numpy()})
    return pa.Table.from_batches([rows]).take(order)


def test_a_detector_has_a_temperature_of_its_own_and_a_clip_that_of_its_weights(clip) -> None:
    assert own_temperature(clip) == 0.07  # open_clip's, before training
    assert own_temperature(learned(clip)) == 0.05
    embeddings = torch.eye(2, clip.width)
    assert detector_for_names(clip, ["a", "b"], embeddings).head.temperature == 0.07


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Clip, Detector])
def test_a_loaded_model_is_of_the_kind_of_its_files(tmp_path: Path, clip, kind) -> None:
    files = tmp_path / "model.json", tmp_path / "weights.safetensors"
    if kind is Clip:
        save_clip(clip, *files)
    else:
        save_detector(learned(clip), *files)
    shared, own = load_model(*files, "cpu"), read_model(*files, "cpu")
    assert type(shared) is type(own) is kind
    assert load_model(*files, "cpu") is shared
    assert not any(parameter.requires_grad for parameter in shared.parameters())
    assert all(parameter.requires_grad for parameter in own.parameters())
    assert clip_of(own) is (own if kind is Clip else own.clip)


@pytest.mark.slow
def test_a_reset_image_tower_is_random_by_its_seed_and_keeps_the_language_encoder(
    tmp_path: Path,
) -> None:
    models = [tiny_clip(tmp_path) for _ in range(3)]
    before = {name: v.clone() for name, v in models[0].network.state_dict().items()}
    state = torch.random.get_rng_state()
    for model, seed in zip(models, (5, 5, 6), strict=True):
        reset_image_tower(model, seed)
    assert torch.equal(torch.random.get_rng_state(), state)
    first, second, third = (model.network.state_dict() for model in models)
    for name, value in first.items():
        assert torch.equal(value, second[name])
        assert name.startswith("visual.") or torch.equal(value, before[name])
    assert not torch.equal(first["visual.conv1.weight"], before["visual.conv1.weight"])
    assert not torch.equal(first["visual.conv1.weight"], third["visual.conv1.weight"])
    assert not first["visual.bn1.running_mean"].any()


def test_a_detector_built_from_a_clip_shares_it_and_is_random_by_its_seed(clip) -> None:
    embeddings = torch.randn(3, clip.width)
    built = [build_detector(clip, HeadSpec(NAMES), embeddings, seed) for seed in (0, 0, 1)]
    assert all(detector.clip is clip for detector in built)
    weights = [detector.bbox_pred.weight for detector in built]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(built[0].embeddings, embeddings)


def test_a_detector_reads_regions_as_asked_and_as_its_files_say(tmp_path: Path) -> None:
    model = tiny_clip(tmp_path, "vit")
    detector = build_detector(
        model, HeadSpec(NAMES), torch.randn(3, model.width), 0, dense="last-block"
    )
    assert detector.clip.network is model.network
    files = tmp_path / "model.json", tmp_path / "weights.safetensors"
    save_detector(detector, *files)
    assert clip_of(load_model(*files, "cpu")).tower.dense == "last-block"
    assert model.tower.dense == "auto"


def test_layers_of_a_detector_are_copied_where_they_fit(clip) -> None:
    model = learned(clip)
    embeddings = torch.randn(2, clip.width)
    same = build_detector(model, HeadSpec(("a", "b"), background="learned"), embeddings, 0)
    assert torch.equal(same.bbox_pred.weight, model.bbox_pred.weight)
    assert torch.equal(same.bbox_pred.bias, model.bbox_pred.bias)
    assert torch.equal(same.background, model.background)
    assert same.bbox_pred.weight is not model.bbox_pred.weight
    other = build_detector(model, HeadSpec(("a", "b"), "specific", "zero"), embeddings, 0)
    assert other.bbox_pred.weight.shape == (8, clip.width)
    assert other.bbox_pred.weight.abs().max() < 0.01
    assert not other.background.any()


def test_a_clip_becomes_a_detector_that_moves_no_box(clip) -> None:
    embeddings = torch.randn(2, clip.width)
    detector = detector_for_names(clip, ["a", "b"], embeddings)
    assert detector.head == HeadSpec(("a", "b"), "none", "zero", 0.07)
    assert detector_for_names(clip, ["a", "b"], embeddings, 0.5).head.temperature == 0.5
    _, moved = predict(detector, torch.randn(3, clip.width), boxes(3, 0), (500, 500))
    assert torch.equal(moved, boxes(3, 0))


def test_an_agnostic_detector_moves_boxes_of_other_names_alike(clip) -> None:
    model = learned(clip)
    features, embeddings = torch.randn(3, clip.width), torch.randn(5, clip.width)
    detector = detector_for_names(model, list("abcde"), embeddings)
    assert detector.head.temperature == 0.05
    assert not any(p.requires_grad for p in detector.parameters())
    probabilities, moved = predict(detector, features, boxes(3, 0), (500, 500))
    expected = predict(model, features, boxes(3, 0), (500, 500), embeddings)
    assert torch.equal(probabilities, expected[0])
    assert torch.equal(moved, expected[1])


def test_a_specific_detector_selects_the_deltas_of_each_name(clip) -> None:
    model = learned(clip, "specific")
    order = [2, 0]
    detector = detector_for_names(
        model, [NAMES[k] for k in order], model.embeddings[order], temperature=0.2
    )
    features = torch.randn(4, clip.width)
    _, moved = predict(detector, features, boxes(4, 0), (500, 500))
    _, all_moved = predict(model, features, boxes(4, 0), (500, 500))
    torch.testing.assert_close(moved, all_moved[:, order])
    assert detector.head.temperature == 0.2


def test_a_specific_detector_refuses_names_it_has_not_learned(clip) -> None:
    names = ["cat", *(f"new {k}" for k in range(7))]
    with pytest.raises(OptionError) as caught:
        detector_for_names(learned(clip, "specific"), names, torch.zeros(8, clip.width))
    assert str(caught.value) == (
        "this detector moves boxes for each category it learned, and 'new 0', 'new 1', 'new 2', "
        "'new 3', 'new 4' and 2 more are not among these; to detect others, use a detector of "
        "--regression agnostic"
    )


def test_a_table_gives_embeddings_by_name_or_all_in_the_order_of_their_ids(clip) -> None:
    vectors = torch.randn(3, clip.width)
    config = NameEmbeddingConfig((), "reference", table_of(list("abc"), vectors, [2, 0, 1]))
    names, embeddings, source = name_embeddings(clip, ["c", "a"], config)
    assert names == ("c", "a")
    assert torch.equal(embeddings, vectors[[2, 0]])
    assert source == "imported"
    names, embeddings, _ = name_embeddings(learned(clip), [], config)
    assert names == ("a", "b", "c")
    assert torch.equal(embeddings, vectors)


def test_names_that_a_table_lacks_are_refused(clip) -> None:
    config = NameEmbeddingConfig((), "reference", table_of(["a"], torch.ones(1, clip.width), [0]))
    with pytest.raises(ArtifactError, match=r"2 names have no embedding \('x', 'y'\); give"):
        name_embeddings(clip, ["x", "a", "y"], config)


def test_a_detector_has_embeddings_of_the_names_it_learned(clip) -> None:
    model = learned(clip)
    names, embeddings, source = name_embeddings(model, ["bus", "cat"], PROMPTS)
    assert names == ("bus", "cat")
    assert torch.equal(embeddings, model.embeddings[[2, 0]])
    assert source == "the detector's own"
    assert name_embeddings(model, [], PROMPTS)[0] == NAMES


@pytest.mark.parametrize("has_head", [False, True])
def test_other_names_are_embedded_by_the_language_encoder(clip, has_head) -> None:
    model = learned(clip) if has_head else clip
    names, embeddings, source = name_embeddings(model, ["cat", "zebra"], PROMPTS)
    assert names == ("cat", "zebra")
    expected = embed_names(clip, names, PROMPTS.templates, "reference", 8)
    torch.testing.assert_close(embeddings, expected, rtol=1e-4, atol=1e-6)
    assert source == "2 templates, averaging reference"


def test_a_clip_without_names_is_refused(clip) -> None:
    with pytest.raises(ArtifactError, match="there are no names to look for"):
        name_embeddings(clip, [], PROMPTS)
