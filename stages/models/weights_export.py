"""Export weights for other programs: open_clip's safetensors, and files in RegionCLIP's layout.

Tensors are float32, without the metadata that a torch module adds to its state, so that a frozen
batch norm that reads the file uses its statistics as they are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from schemas.errors import SourceError
from stages.late_errors import late_errors
from stages.models.clip_spec import ClipSpec
from stages.models.export_keys import (
    CLIP_PREFIX,
    detectron2_rpn,
    regionclip_clip,
    regionclip_head,
    regionclip_rpn,
)
from stages.models.preprocessing import CLIPS
from stages.models.rpn_spec import read_spec
from stages.models.weights import State, read_state, write_state

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models.tokenizer_files import TokenizerFiles


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The two files of a teacher, student, detector or proposal network.

    Attributes:
        config: model.json.
        weights: weights.safetensors.
    """

    config: Path
    weights: Path

    @property
    def is_detector(self) -> bool:
        """Whether model.json describes a detection head beside the CLIP."""
        return "detector" in self.content()

    @property
    def has_language(self) -> bool:
        """Whether the language encoder is among the weights."""
        return bool(self.content().get("language", True))

    def content(self) -> dict[str, Any]:
        """The content of model.json.

        Raises:
            SourceError: If it cannot be read.
        """
        try:
            return dict(json.loads(self.config.read_text("utf-8")))
        except (OSError, ValueError) as error:
            raise SourceError(f"{self.config} does not describe a model: {error}") from error

    def tokenizer(self) -> TokenizerFiles:
        """Files of the tokenizer; none for CLIP's.

        Raises:
            SourceError: If one is missing or has changed.
        """
        return ClipSpec.read(self.config).tokenizer

    def clip_state(self) -> State:
        """The tensors of the CLIP, with the names open_clip gives them, float32."""
        state = read_state(self.weights)
        if not self.is_detector:
            return state
        return {n.removeprefix(CLIP_PREFIX): v for n, v in state.items() if n.startswith("clip.")}


def write_open_clip(model: ModelFiles, weights: Path, config: Path) -> None:
    """Write the two files of a folder that open_clip loads as `local-dir:FOLDER`.

    Args:
        model: A teacher, student or detector; only the CLIP of a detector is written.
        weights: Safetensors file to write.
        config: open_clip_config.json to write: the configuration, and how images are prepared.

    Raises:
        SourceError: If the files cannot be read, or have no language encoder.
    """
    if not model.has_language:
        raise SourceError(
            f"{model.weights} has no language encoder, and open_clip needs one; export the model "
            f"with --format regionclip, or its region encoder with --format onnx"
        )
    spec = ClipSpec.read(model.config)
    content: dict[str, Any] = {
        "model_cfg": spec.config,
        "preprocess_cfg": spec.preprocessing.content(),
    }
    if spec.architecture:  # open_clip passes over it; an import keeps the name
        content["architecture"] = spec.architecture
    config.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")
    write_state(model.clip_state(), weights, torch.float32)


def write_regionclip(
    model: ModelFiles,
    path: Path,
    teacher: ModelFiles | None = None,
    rpn: State | None = None,
) -> int:
    """Write a `.pth` file in RegionCLIP's layout; return the number of its tensors.

    Args:
        model: Teacher, student or detector with a CLIP ResNet.
        path: File to write: {"model": {name: tensor}}.
        teacher: Also written, as `teacher_backbone.*`.
        rpn: Also written, as `offline_*`: tensors with detectron2's names.

    Raises:
        SourceError: If a file cannot be read, or an image tower is not a CLIP ResNet.
    """
    state = regionclip_state(model)
    if teacher is not None:
        visual = regionclip_clip(_resnet_state(teacher), "teacher_backbone.")
        state |= {n: v for n, v in visual.items() if n.startswith("teacher_backbone.")}
    if rpn is not None:
        state |= regionclip_rpn(rpn)
    with late_errors(path) as file:  # given a path, torch would write its name into the file
        torch.save({"model": {name: value.clone() for name, value in state.items()}}, file)
    return len(state)


def regionclip_state(model: ModelFiles) -> State:
    """The tensors of a model with RegionCLIP's names, float32."""
    state = regionclip_clip(_resnet_state(model), "backbone.")
    return state | (regionclip_head(read_state(model.weights)) if model.is_detector else {})


def lost_in_regionclips_layout(model: ModelFiles) -> list[str]:
    """What a file in RegionCLIP's layout does not say, and its readers therefore get wrong."""
    spec = ClipSpec.read(model.config)
    lost = []
    if spec.language and not spec.config.get("quick_gelu"):
        lost.append("GELU, where RegionCLIP's language encoder has QuickGELU")
    if spec.preprocessing != CLIPS:
        lost.append("mean, deviation or resizing other than CLIP's")
    return lost


def offline_rpn(model: ModelFiles) -> State:
    """The tensors of a proposal network with detectron2's names, float32.

    Raises:
        SourceError: If its anchors are not detectron2's, which RegionCLIP's configurations assume.
    """
    spec = read_spec(model.config)
    if getattr(spec, "anchors", "torchvision") != "detectron2":
        raise SourceError(
            f"{model.config} describes a proposal network with torchvision's anchors, which "
            f"RegionCLIP cannot rebuild; give --with-rpn a network imported from detectron2"
        )
    return detectron2_rpn(read_state(model.weights))


def _resnet_state(model: ModelFiles) -> State:
    spec = ClipSpec.read(model.config)
    if not isinstance(spec.config["vision_cfg"].get("layers"), list):
        raise SourceError(
            f"RegionCLIP's layout is that of CLIP ResNets, but {model.config} describes another "
            f"image tower; use --format open_clip or onnx"
        )
    return model.clip_state()
