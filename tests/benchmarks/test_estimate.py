"""The estimate of the published recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from benchmarks import estimate

if TYPE_CHECKING:
    import pytest


def test_random_boxes_are_inside_the_image_and_not_empty() -> None:
    boxes = estimate.boxes(500, torch.device("cpu"))
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= torch.tensor([estimate.WIDE, estimate.HIGH])).all()
    assert (boxes[:, 2:] - boxes[:, :2] > 7.99).all()


def test_days_follow_from_images_and_seconds_an_image(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class ToyClip:
        def to(self, _device: torch.device) -> ToyClip:
            return self

    monkeypatch.setattr(estimate, "create_clip", lambda _name: ToyClip())
    monkeypatch.setattr(estimate, "make_trainable", lambda _clip, _freeze: None)
    monkeypatch.setattr(estimate, "seconds", lambda *_, train, repeats: 2.0 if train else 0.5)
    assert estimate.main(["--threads", str(torch.get_num_threads())]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    work = estimate.RECIPES["pretrain_coco_caption"]
    days = (work.features * 0.5 + work.views * 2.0) / 86400
    assert lines["pretrain_coco_caption"].endswith(f"{days:,.1f} days")
