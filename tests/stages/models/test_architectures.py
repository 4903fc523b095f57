from __future__ import annotations

import contextlib

import open_clip
import pytest
import torch

from schemas.errors import SourceError
from stages.models.architectures import (
    identify_architecture,
    may_fit,
    shape_in_config,
    shape_in_state,
)
from stages.models.clip_spec import architecture_spec
from stages.models.network import Clip
from tests.stages.models import tiny

pytestmark = pytest.mark.slow

PUBLISHED = ("RN50", "RN101", "RN50x4", "RN50x16", "RN50x64", "ViT-B-16", "ViT-B-32", "ViT-L-14")


def shapes(name: str) -> dict[str, torch.Tensor]:
    """The state of an architecture with shapes alone: no memory, no time."""
    with torch.device("meta"):
        return dict(Clip(architecture_spec(name)).network.state_dict())


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_architectures_are_identified_by_their_shapes(name) -> None:
    assert identify_architecture(shapes(name), "f") == name


@pytest.mark.parametrize("name", ["RN50", "RN101", "RN50x4"])
def test_a_resnet_is_identified_without_its_language_encoder(name) -> None:
    alone = {n: v for n, v in shapes(name).items() if n.startswith("visual.")}
    assert identify_architecture(alone, "f") == name


def test_configuration_and_tensors_give_the_same_shape() -> None:
    for name in PUBLISHED:
        assert shape_in_config(open_clip.get_model_config(name)) == shape_in_state(shapes(name))


def test_the_larger_resnet_has_images_of_288_and_regions_of_18_cells() -> None:
    with torch.device("meta"):
        clip = Clip(architecture_spec("RN50x4"))
    assert clip.spec.image_size == 288
    assert clip.tower.cells == 18
    assert clip.width == 640


def test_shapes_of_an_unknown_architecture_are_refused(tmp_path) -> None:
    state = tiny.tiny_clip(tmp_path).network.state_dict()
    with pytest.raises(SourceError, match=r"ResNet of 1-1-1-1 layers, 8 wide.*--architecture"):
        identify_architecture(state, "f")


def test_a_tower_of_another_kind_must_be_named(tmp_path) -> None:
    state = tiny.tiny_clip(tmp_path, "convnext").network.state_dict()
    with pytest.raises(SourceError, match="cannot be identified by its tensors"):
        identify_architecture(state, "f")
    assert shape_in_config(tiny.config("convnext")) is None


def test_an_incomplete_network_is_refused() -> None:
    with pytest.raises(SourceError, match="--architecture"):
        identify_architecture({"visual.attnpool.positional_embedding": torch.zeros(50, 2048)}, "f")
    with pytest.raises(SourceError, match="--architecture"):
        identify_architecture(
            {"visual.class_embedding": torch.zeros(8), "visual.proj": torch.ones(8, 4)}, "f"
        )


def test_a_text_tower_of_transformers_needs_its_name() -> None:
    state = {"text.transformer.embeddings.word_embeddings.weight": torch.zeros(5, 4)}
    with pytest.raises(SourceError, match="has a text tower of transformers, whose architecture"):
        identify_architecture(state, "model.safetensors")


@pytest.mark.parametrize("tower", ["resnet", "vit"])
def test_a_tensor_of_any_shape_changes_what_fits_or_nothing(tmp_path, tower) -> None:
    state = tiny.tiny_clip(tmp_path, tower).network.state_dict()
    whole, described = shape_in_state(state), tiny.config(tower)
    assert may_fit(state, described)
    for name in state:
        for shape in ((), (0,), (3,), (1, 1, 1, 1, 1)):
            other = shape_in_state(state | {name: torch.zeros(shape)})
            assert other == whole or not may_fit({**state, name: torch.zeros(shape)}, described)


@pytest.mark.parametrize("tower", ["resnet", "vit"])
@pytest.mark.parametrize("value", ["x", [1, "x"], float("inf"), [float("inf"), 1], {}, 0, None])
def test_sizes_of_a_configuration_are_numbers_or_a_sentence(tower, value) -> None:
    for part in ("vision_cfg", "text_cfg"):
        for key in tiny.config(tower)[part]:
            content = tiny.config(tower)
            content[part][key] = value
            shapes = []
            with contextlib.suppress(SourceError):
                shapes.append(shape_in_config(content))
            towers = {shape.tower for shape in shapes if shape}
            assert towers <= {"ResNet", "vision transformer"}
