"""The bytes of an artifact follow from its fingerprint: not from workers, threads or cores."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from pipeline.verbs import VERBS
from tests.pipeline.small_steps import ALONE, STEPS, Maker, maker_in

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

WAYS = [ALONE, *((w, t) for w, t in product((1, 2, 3), (1, 2)) if (w, t) != ALONE)]


def test_every_verb_is_tried() -> None:
    # these two read what people wrote, and compute nothing with several cores
    read_alone = {"audit close", "import-reviews"}
    assert {step.verb for step in STEPS.values()} == set(VERBS) - read_alone


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    with maker_in(tmp_path_factory.mktemp("cores")) as made:
        yield made


@pytest.mark.parametrize("name", STEPS)
def test_one_fingerprint_is_one_digest(name: str, maker: Maker) -> None:
    made = {way: maker.make(name, way) for way in WAYS}
    fingerprints = {fingerprint for fingerprint, _ in made.values()}
    assert len(set(made.values())) == len(fingerprints), made
    trains = STEPS[name].verb in ("pretrain", "train-rpn", "train", "finetune")
    assert len(fingerprints) == (2 if trains else 1)  # threads of an operation are in the recipe
