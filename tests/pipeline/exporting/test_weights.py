"""Export of weights: which artifacts and options are accepted; the formats are tested elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file

from pipeline.exporting.weights import ExtraModels, export_weights
from pipeline.store import catalog
from schemas.errors import ArtifactError, OptionError
from tests.pipeline.helpers import make_all

if TYPE_CHECKING:
    from pathlib import Path

ALONE = ExtraModels()


@pytest.mark.slow
def test_a_teacher_is_written_for_open_clip_with_its_config(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "weights"
    path, phrase = export_weights(root, "teachers", out, "open_clip", ALONE, force=False)
    assert path == out
    assert phrase == f"open_clip.create_model_from_pretrained('local-dir:{out}')"
    names = sorted(file.name for file in out.iterdir())
    assert names == ["open_clip_config.json", "open_clip_model.safetensors"]
    (stored,) = catalog.find(root, "teachers").attachments("weights.safetensors")
    expected, actual = load_file(stored), load_file(out / "open_clip_model.safetensors")
    shared = sorted(set(expected) & set(actual))
    assert len(shared) > 20
    assert all(torch.equal(expected[name].float(), actual[name]) for name in shared)
    with pytest.raises(OptionError, match="exists; give another name, or --force"):
        export_weights(root, "teachers", out, "open_clip", ALONE, force=False)
    for name, why in (
        ("weights.safetensors", "a folder of several files"),
        ("weights/open_clip_config.json", "is a file; give another name"),
    ):
        with pytest.raises(OptionError, match=why):
            export_weights(root, "teachers", tmp_path / name, "open_clip", ALONE, force=True)


@pytest.mark.slow
def test_a_second_tower_is_written_beside_the_first(root: Path, tmp_path: Path) -> None:
    counts = []
    for name, extra in (("one", ALONE), ("two", ExtraModels(teacher="teachers"))):
        path, phrase = export_weights(
            root, "teachers", tmp_path / name, "regionclip", extra, force=False
        )
        assert path.suffix == ".pth"
        count, _, lost = phrase.partition(" tensors; the file does not hold ")
        assert lost.startswith("GELU, where RegionCLIP's language encoder has QuickGELU: import")
        counts.append(int(count))
    assert counts[1] > counts[0]


def test_extra_models_need_the_format_of_regionclip(tmp_path: Path) -> None:
    for extra in (ExtraModels(teacher="teachers"), ExtraModels(rpn="rpns")):
        with pytest.raises(OptionError, match="--with-rpn need --format regionclip"):
            export_weights(tmp_path, "teachers", tmp_path / "out", "onnx", extra, force=False)


@pytest.mark.slow
def test_an_artifact_without_a_network_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"is not such a network; give one of detectors@…, stu"):
        export_weights(root, "images", tmp_path / "out", "open_clip", ALONE, force=False)
    toys = tmp_path / "toys"
    make_all(toys, count=3)
    with pytest.raises(ArtifactError, match=r"lacks its weights .* 'rc pretrain --force'"):
        export_weights(toys, "teachers", tmp_path / "out", "open_clip", ALONE, force=False)
    assert not list(tmp_path.glob("out*"))
