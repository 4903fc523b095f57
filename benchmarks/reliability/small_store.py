"""A store of a few synthetic scenes, made by the real stages, with runs that did not finish."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from benchmarks.reliability.forked import forked, rc
from pipeline.cli import main
from pipeline.store import parts
from schemas.errors import StageError
from stages.synthetic.dataset_writers import write_scenes
from stages.training import checkpoints

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.reliability.forked import End

_TINY: Final = ("--steps", 2, "--images-per-batch", 2, "--resize", "64x96")
_STEPS: Final[tuple[tuple[object, ...], ...]] = (
    ("extract-concepts", "--min-frequency", 1),
    ("pretrain", "--model", "small", "--steps", 1, "--images-per-batch", 2),
    ("embed-concepts", "--templates", "plain"),
    ("train-rpn", *_TINY),
    ("propose", "--regions", 6, "--resize", "64x96"),
    ("featurize", "--resize", "64x96"),
    ("label", "--min-probability", 0),
)
_MORE: Final[tuple[tuple[object, ...], ...]] = (  # what costs more time
    ("train", *_TINY),
    ("evaluate", "--model", "students", "--templates", "plain", "--resize", "64x96"),
    ("finetune", *_TINY, "--templates", "plain"),
    ("detect", "--names", "dog,cat", "--limit", 2, "--templates", "plain", "--resize", "64x96"),
)
RESUMED_PARTS: Final = ("featurize", "--resize", "48x80")
FAILED: Final = ("propose", "--regions", 5, "--resize", "48x80")
RESUMED_TRAINING: Final = (
    *("train", "--steps", 3, "--images-per-batch", 2, "--resize", "48x80"),
    *("--checkpoint-every", 1),
)


def make_store(folder: Path, *, short: bool) -> Path:
    """Make a store in a folder; two parts of images, and in full a model of every kind.

    Two runs are unfinished: one has one part of two, the other one a checkpoint after two steps
    of three. A third failed.
    """
    store = make_finished(folder, 6, () if short else _MORE, broken_image=True)
    _broken_off(1, parts, "publish", RESUMED_PARTS, store)
    _broken_off(2, checkpoints, "save", RESUMED_TRAINING, store)
    _broken_off(1, parts, "publish", FAILED, store, StageError("the loss became nan at step 3"))
    return store


def make_finished(
    folder: Path,
    scenes: int,
    more: tuple[tuple[object, ...], ...] = (),
    *,
    broken_image: bool = False,
) -> Path:
    """Make a store of scenes in two parts, up to pseudo-labels, and what more words make."""
    store = folder / "store"
    write_scenes(folder / "scenes", "scenes", scenes, 3)
    if broken_image:
        min(folder.rglob("*.jpg")).write_bytes(b"no image")
    ingest = ("ingest", folder / "scenes", "--part-images", scenes // 2)
    for words in (ingest, *_STEPS, *more):
        done(rc(*words, "--store", store))
    return store


def _broken_off(
    calls: int,
    module: Any,
    name: str,
    words: tuple[object, ...],
    store: Path,
    error: Exception | None = None,
) -> None:
    """Run a command that ends at once, or fails, after so many calls of a function of a module."""
    call: Callable[..., object] = getattr(module, name)
    made = 0

    def then_end(*given: Any, **named: Any) -> object:
        nonlocal made
        result = call(*given, **named)
        made += 1
        if made == calls and error is not None:
            raise error
        if made == calls:
            os._exit(9)
        return result

    def act() -> None:
        setattr(module, name, then_end)
        main([*map(str, words), "--store", str(store)])

    end = forked(act)
    assert end.code == (9 if error is None else 1), end


def done(end: End) -> End:
    """What a command said that should have worked.

    Raises:
        AssertionError: If it did not.
    """
    assert end.code in (0, 3), f"exit code {end.code}: {end.err[-2000:]}"
    return end
