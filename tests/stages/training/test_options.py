"""Options that all training stages share: steps, configuration, progress, decoding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import OptionError
from stages.finetune import Finetune
from stages.outcome import Result
from stages.pixels import load_image
from stages.pretrain import Pretrain
from stages.train import Train
from stages.train_rpn import TrainRpn
from stages.training.dataset import ShuffledDataset
from stages.training.options import TrainingStage
from stages.training.pixel_cache import PixelCache
from tests.in_memory import InMemory


def dataset(samples: int) -> ShuffledDataset[int]:
    return ShuffledDataset([InMemory({})], lambda part: range(samples))


@pytest.mark.parametrize(
    ("options", "samples", "expected"),
    [
        ({"epochs": 1, "images_per_batch": 4}, 12, 3),
        ({"epochs": 1, "images_per_batch": 4}, 13, 4),
        ({"epochs": 3, "images_per_batch": 4}, 13, 10),
        ({"epochs": 1, "images_per_batch": 96}, 2, 1),
        ({"epochs": 1, "images_per_batch": 4}, 0, 1),
        ({"epochs": 3, "steps": 7}, 13, 7),
        ({"steps": 0}, 13, 0),
    ],
)
def test_steps_are_the_option_or_follow_from_epochs(
    options: dict[str, Any], samples: int, expected: int
) -> None:
    assert Pretrain(**options).num_steps(dataset(samples)) == expected


def test_epochs_are_no_part_of_the_recipe_if_steps_are_given() -> None:
    assert Pretrain(steps=5, epochs=1).recipe() == Pretrain(steps=5, epochs=9).recipe()
    assert Pretrain(epochs=1).recipe() != Pretrain(epochs=9).recipe()


def test_options_that_decide_the_speed_alone_are_no_part_of_the_recipe() -> None:
    changes = {"loaders": 3, "cache_mb": 9, "checkpoint_every": 7, "tensorboard": "x"}
    assert Pretrain(**changes).recipe() == Pretrain().recipe()


def test_the_configuration_has_the_options_of_the_stage() -> None:
    stage = Pretrain(
        optimiser="adamw",
        learning_rate=0.5,
        weight_decay=0.25,
        momentum=0.75,
        clip=2.0,
        clip_by="total",
        schedule="steps",
        warmup=3,
        milestones=(0.25, 0.5),
        seed=9,
        log_every=7,
        checkpoint_every=11,
    )
    config = stage.config(40)
    assert (config.steps, config.schedule.steps) == (40, 40)
    assert (config.seed, config.log_every, config.checkpoint_every) == (9, 7, 11)
    optimiser = config.optimiser
    assert (optimiser.kind, optimiser.learning_rate, optimiser.weight_decay) == ("adamw", 0.5, 0.25)
    assert (optimiser.momentum, optimiser.clip, optimiser.clip_by) == (0.75, 2.0, "total")
    assert config.schedule.factor(12) == pytest.approx(0.1)
    assert config.schedule.factor(20) == pytest.approx(0.01)


def test_progress_counts_steps_of_a_total_that_is_known_if_it_is_given() -> None:
    part = InMemory({})
    report = Pretrain().watch(part)
    report(7, [])  # a resumed run reports all earlier steps at once
    report(1, [])
    assert part.advanced == 8
    assert (Pretrain.unit, Pretrain(steps=27).total(), Pretrain().total()) == ("steps", 27, None)
    assert not Pretrain.counts_rows


def test_rows_of_the_log_go_to_the_event_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []

    def event_writer(folder: str | None, verb: str) -> Any:
        assert (folder, verb) == ("events", "pretrain")
        return written.append

    monkeypatch.setattr("stages.training.tensorboard.event_writer", event_writer)
    report = Pretrain(tensorboard="events").watch(InMemory({}))
    report(1, [])
    report(1, [{"step": 2}])
    assert written == [[{"step": 2}]]


def test_images_are_decoded_through_a_cache_only_if_it_has_memory() -> None:
    assert isinstance(Pretrain(cache_mb=1).pixels(), PixelCache)
    assert Pretrain().pixels() is load_image


def test_training_is_a_single_task_over_all_parts() -> None:
    assert issubclass(Pretrain, TrainingStage)
    assert Pretrain().plan({"images": [0, 1, 2]}) == [0]


def test_the_outcome_is_the_loss_at_both_ends_of_the_curve(tmp_path: Path) -> None:
    part = InMemory({}, tmp_path)
    rows = [
        {"step": 1, "images": 4, "loss": None},
        {"step": 50, "images": 200, "loss": 3.25},
        {"step": 1000, "images": 4000, "loss": 0.51239},
    ]
    Pretrain().note_loss(part, rows)
    outcome = Pretrain().outcome(Result(3, {}, part.notes))
    assert outcome.summary[0] == "1,000 steps over 4,000 images: loss 3.25 → 0.512"
    assert outcome.empty is None


def test_weights_taken_without_a_step_have_no_loss(tmp_path: Path) -> None:
    part = InMemory({}, tmp_path)
    Pretrain().note_loss(part, [])
    assert part.notes == {}
    outcome = Pretrain().outcome(Result(0, {}, {"summary": ["12 tensors used"]}))
    said = ["a model, without training", "12 tensors used"]
    assert (list(outcome.summary), outcome.empty) == (said, None)


@pytest.mark.parametrize("stage", [Train, Pretrain, Finetune, TrainRpn])
def test_micro_batches_are_part_of_the_recipe_from_two_on(stage: type[TrainingStage]) -> None:
    assert "accumulate" not in stage().recipe()
    assert stage(accumulate=2).recipe() == {**stage().recipe(), "accumulate": 2}


def test_more_micro_batches_than_images_are_refused() -> None:
    with pytest.raises(
        OptionError, match="rc train: --images-per-batch 4 is too few for --ranks 1"
    ):
        Train(accumulate=5, images_per_batch=4)
    assert Train(accumulate=4, images_per_batch=4).accumulate == 4


@pytest.mark.parametrize(
    ("stage", "decide"),
    [
        (Train(negatives="gathered"), False),
        (Train(), True),  # negatives are those of a rank
        (Train(negatives="gathered", freeze="none"), True),  # batch norms are trained
        (Train(contrastive_weight=0, distillation_weight=0), False),  # no region is compared
        (Finetune(), False),
        (Finetune(freeze="none"), True),
        (Finetune(init="random"), True),
        (TrainRpn(weights=Path("rpn.safetensors")), False),
        (TrainRpn(), True),
        (Pretrain(), True),
        (Pretrain(steps=0), False),
    ],
)
def test_ranks_are_part_of_the_recipe_only_where_they_decide_what_is_learned(
    stage: TrainingStage, decide: bool
) -> None:
    alone, several = stage.recipe(), replace(stage, ranks=2).recipe()
    assert "ranks" not in alone
    assert several == ({**alone, "ranks": 2} if decide else alone)
    assert replace(stage, ranks=2).num_processes() == 2


def test_every_rank_has_an_image_in_every_batch() -> None:
    said = "--images-per-batch 5 is too few for --ranks 3 and --accumulate 2: each needs an image"
    with pytest.raises(OptionError, match=said):
        Pretrain(images_per_batch=5, ranks=3, accumulate=2)
    assert Pretrain(images_per_batch=6, ranks=3, accumulate=2).num_processes() == 3
