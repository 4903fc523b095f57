from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from schemas.errors import SourceError
from stages.models.detector import Detector, read_detector, save_detector
from stages.models.detector_import import BOX, import_detector
from tests.stages.models import foreign

if TYPE_CHECKING:
    from pathlib import Path


def detector(folder: Path, raw: dict[str, torch.Tensor], names: Path, **how: Any) -> Detector:
    path = foreign.save(raw, folder / "f.pth")
    result, _ = import_detector(path, names, foreign.architecture(folder), **how)
    return result


@pytest.mark.slow
def test_a_finetuned_file_becomes_a_detector_with_all_of_its_head(tmp_path) -> None:
    raw = foreign.finetuned(tmp_path)
    imported = detector(tmp_path, raw, foreign.names(tmp_path, 5), temperature=0.02)
    assert imported.head.categories == tuple(f"thing {i}" for i in range(5))
    assert imported.head.regression == "agnostic"
    assert imported.head.background == "zero"
    assert imported.head.temperature == 0.02
    assert torch.equal(imported.embeddings, raw[BOX + "cls_score.weight"])
    assert imported.bbox_pred is not None
    assert torch.equal(imported.bbox_pred.weight, raw[BOX + "bbox_pred.weight"])
    assert torch.equal(imported.bbox_pred.bias, raw[BOX + "bbox_pred.bias"])
    assert not imported.clip.spec.language
    save_detector(imported, tmp_path / "model.json", tmp_path / "w.safetensors")
    again = read_detector(tmp_path / "model.json", tmp_path / "w.safetensors")
    assert again.head == imported.head
    assert not again.clip.spec.language


@pytest.mark.slow
def test_logits_are_cosines_over_the_temperature_and_the_background_is_zero(tmp_path) -> None:
    raw = foreign.finetuned(tmp_path)
    imported = detector(tmp_path, raw, foreign.names(tmp_path, 5))
    features = torch.randn(3, foreign.WIDTH)
    logits = imported.classify(features)
    texts = raw[BOX + "cls_score.weight"]
    for row, feature in enumerate(features):
        for column, text in enumerate(texts):
            cosine = float(feature @ text / (feature.norm() * text.norm()))
            assert logits[row, column].item() == pytest.approx(cosine / 0.01, abs=1e-3)
        assert logits[row, 5] == 0


@pytest.mark.slow
def test_names_can_fit_the_vocabulary_for_tests_instead(tmp_path) -> None:
    raw = foreign.finetuned(tmp_path)
    imported = detector(tmp_path, raw, foreign.names(tmp_path, 7))
    assert torch.equal(imported.embeddings, raw[BOX + "test_cls_score.weight"])


def test_a_last_name_background_is_no_category(tmp_path) -> None:
    raw = foreign.finetuned(tmp_path)
    imported = detector(tmp_path, raw, foreign.names(tmp_path, 5, "background"))
    assert len(imported.head.categories) == 5


def test_a_learned_background_is_kept(tmp_path) -> None:
    raw = foreign.finetuned(tmp_path) | {BOX + "cls_bg_score.weight": torch.ones(1, 32)}
    imported = detector(tmp_path, raw, foreign.names(tmp_path, 5))
    assert imported.head.background == "learned"
    assert torch.equal(imported.background, torch.ones(32))


@pytest.mark.slow
def test_the_kind_of_regression_follows_from_the_box_layer(tmp_path) -> None:
    raw = foreign.finetuned(tmp_path, deltas=20)
    assert detector(tmp_path, raw, foreign.names(tmp_path, 5)).head.regression == "specific"
    for name in ("weight", "bias"):
        del raw[f"{BOX}bbox_pred.{name}"]
    assert detector(tmp_path, raw, foreign.names(tmp_path, 5)).bbox_pred is None


def test_a_box_layer_for_each_category_needs_the_names_it_was_trained_on(tmp_path) -> None:
    raw = foreign.finetuned(tmp_path, deltas=20)
    with pytest.raises(SourceError, match="20 rows: neither 4, nor 4 for each of 7"):
        detector(tmp_path, raw, foreign.names(tmp_path, 7))


def test_different_numbers_of_names_and_rows_are_refused(tmp_path) -> None:
    with pytest.raises(SourceError, match=r"has 6 names and .*cls_score.weight of f.pth 5 rows"):
        detector(tmp_path, foreign.finetuned(tmp_path), foreign.names(tmp_path, 6))


@pytest.mark.slow
def test_a_file_that_was_not_finetuned_is_refused(tmp_path) -> None:
    with pytest.raises(SourceError, match="is not a fine-tuned detector; import it with --as"):
        detector(tmp_path, foreign.pretrained(tmp_path), foreign.names(tmp_path, 5))


def test_embeddings_of_another_width_are_refused(tmp_path) -> None:
    raw = foreign.finetuned(tmp_path) | {BOX + "cls_score.weight": torch.randn(5, 16)}
    with pytest.raises(SourceError, match=r"embeddings is \(5, 16\), not \(5, 32\)"):
        detector(tmp_path, raw, foreign.names(tmp_path, 5))


@pytest.mark.slow
def test_tensors_that_a_detector_does_not_have_are_reported(tmp_path) -> None:
    raw = foreign.finetuned(tmp_path)
    path = foreign.save(raw, tmp_path / "f.pth")
    config = foreign.architecture(tmp_path)
    _, report = import_detector(path, foreign.names(tmp_path, 5), config)
    assert report.unused == [BOX + "test_cls_score.weight", "roi_heads.mask_head.deconv.weight"]
    assert sorted([*report.used, *report.unused]) == sorted(raw)


@pytest.mark.parametrize("name", ["cls_score.weight", "cls_bg_score.weight", "bbox_pred.weight"])
@pytest.mark.parametrize("value", [torch.tensor(1.0), torch.ones(5, 32, dtype=torch.int8)])
def test_a_head_of_other_shapes_or_of_integers_is_refused(tmp_path, name, value) -> None:
    raw = foreign.finetuned(tmp_path) | {BOX + name: value}
    with pytest.raises(SourceError, match=r"rows|does not fit|not floating-point"):
        detector(tmp_path, raw, foreign.names(tmp_path, 5))
