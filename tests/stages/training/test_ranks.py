"""Runs of all verbs that train: on several ranks and in micro-batches they end as one process does.

To 1e-5, after four steps over 28 images that two ranks have 12 and 16 of. The optimiser is
SGD: AdamW divides a gradient by its size, and so makes rounding as large as a step where the true
gradient is 0, as it is for what attention adds to its keys.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest

from schemas.errors import RCError
from tests.stages.training.ranks import on_ranks
from tests.stages.training.verbs import VERBS, train

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stages.training.verbs import Result

pytestmark = pytest.mark.slow

NAMES = pytest.mark.parametrize("name", VERBS)
SPARSE: dict[str, Any] = {  # one image has regions, three have a caption: some steps have nothing
    "leave_out": tuple(range(1, 12)),
    "captions": {number: [] for number in range(12) if number not in (2, 3, 4)},
    "crop_distillation_weight": 0.0,
    "images_per_batch": 3,
}
NEVER_FINITE = {"learning_rate": 1e30, "clip": 0.0, "momentum": 0.0}


@functools.cache
def alone(root: Path, name: str, case: str = "", **changes: Any) -> Result:
    """The run of one process, without micro-batches."""
    folder = root / f"alone-{name}{case}"
    folder.mkdir()
    return VERBS[name](folder, **changes)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "begun-alone").mkdir()
    with pytest.raises(KilledError):
        train(folder / "begun-alone", on_step=_killed_at_3)
    return folder


class KilledError(Exception):
    pass


def _killed_at_3(done: int) -> None:
    if done == 3:
        raise KilledError


def _refused(folder: Path, name: str, **changes: Any) -> str:
    try:
        VERBS[name](folder, **changes)
    except RCError as error:
        return str(error)
    return ""


def _two(root: Path, rank: int) -> dict[str, Any]:
    """All that two ranks do together; only of the first rank any file is looked at."""

    def folder(name: str) -> Path:
        place = root / name if rank == 0 else root / f"{name}-of-rank-1"
        place.mkdir(exist_ok=True)
        return place

    done: dict[str, Any] = {name: run(folder(name)) for name, run in VERBS.items()}
    done |= {f"{n} in 2": run(folder(f"{n}-in-2"), accumulate=2) for n, run in VERBS.items()}
    done["sparse"] = train(folder("sparse"), **SPARSE)
    done["resumed"] = train(folder("begun-alone"))
    try:
        train(folder("begun-together"), on_step=_killed_at_3)
    except KilledError:
        done["killed"] = [path.name for path in (folder("begun-together") / "scratch").iterdir()]
    done["not finite"] = _refused(folder("nan"), "train", **NEVER_FINITE)
    done["too few"] = _refused(folder("few"), "train", images_per_batch=3, accumulate=2)
    done["dump"] = _refused(folder("dump"), "finetune", dump_losses=folder("dump") / "losses")
    return done


@pytest.fixture(scope="module")
def two(root: Path) -> list[dict[str, Any]]:
    return on_ranks(functools.partial(_two, root), root / "two")


def equal(actual: Result, expected: Result) -> bool:
    """Whether log and weights are equal to 1e-5; says first where they are not."""
    assert len(actual[0]) == len(expected[0])
    for row, same in zip(actual[0], expected[0], strict=True):
        absent = {name for name, value in same.items() if value is None}
        assert absent == {name for name, value in row.items() if value is None}
        for name in same.keys() - absent:
            assert row[name] == pytest.approx(same[name], rel=1e-5, abs=1e-5), name
    assert actual[1].keys() == expected[1].keys()
    for name, weights in expected[1].items():
        assert (actual[1][name] - weights).abs().max() < 1e-5, name
    return True


@NAMES
@pytest.mark.parametrize("count", [3, 7])
def test_micro_batches_end_as_the_whole_batch_does(
    root: Path, tmp_path: Path, name: str, count: int
) -> None:
    assert equal(VERBS[name](tmp_path, accumulate=count), alone(root, name))


@NAMES
def test_two_ranks_end_as_one_process_does(root: Path, two: list[Any], name: str) -> None:
    for of_rank in two:
        assert equal(of_rank[name], alone(root, name))
        assert equal(of_rank[f"{name} in 2"], alone(root, name))


@NAMES
def test_a_run_moves_weights_by_far_more_than_these_differ(root: Path, name: str) -> None:
    first, last = alone(root, name, "-1", learning_rate=1e-9), alone(root, name)
    assert max((last[1][n] - weights).abs().max() for n, weights in first[1].items()) > 1e-3


def test_regions_may_be_on_one_rank_or_on_none(root: Path, two: list[Any]) -> None:
    expected = alone(root, "train", "-sparse", **{**SPARSE, "captions": Frozen(SPARSE["captions"])})
    regions = [row["regions"] for row in expected[0]]
    assert 0 in regions
    assert 3 in regions
    for of_rank in two:
        assert equal(of_rank["sparse"], expected)


class Frozen(dict[Any, Any]):
    """A dictionary that can be a key."""

    def __hash__(self) -> int:  # type: ignore[override]
        return 0


def test_a_killed_run_goes_on_with_another_number_of_ranks(root: Path, two: list[Any]) -> None:
    for of_rank in two:  # the second has no checkpoint
        assert equal(of_rank["resumed"], alone(root, "train"))
    assert equal(train(root / "begun-together"), alone(root, "train"))


def test_only_the_first_rank_writes_a_checkpoint(two: list[Any]) -> None:
    assert [of_rank["killed"] for of_rank in two] == [["checkpoint.pt"], []]


def test_all_ranks_stop_with_the_same_sentence(two: list[Any]) -> None:
    first, second = two
    assert "the loss became nan at step 2; lower --learning-rate" in first["not finite"]
    assert second["not finite"] == first["not finite"]


def test_a_batch_with_less_than_an_image_for_each_micro_batch_is_refused(two: list[Any]) -> None:
    for of_rank in two:
        assert of_rank["too few"] == (
            "3 images cannot be divided into 4 micro-batches (ranks times --accumulate): give "
            "--images-per-batch 4 or more"
        )


def test_losses_of_several_ranks_cannot_be_dumped(two: list[Any]) -> None:
    for of_rank in two:
        assert of_rank["dump"] == "rc finetune: --dump-losses needs a single process, without ranks"
