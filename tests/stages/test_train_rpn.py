from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from schemas.errors import OptionError, SourceError, StageError
from schemas.rpns import RPNS
from stages.models.rpn import load_rpn
from stages.pixels import load_image
from stages.proposals.recall import RecallCounts, recall_and_ar100
from stages.proposals.selection import Selection
from stages.train_rpn import TrainRpn
from tests.stages import squares
from tests.stages.models.tiny_rpn import raw_boxes, saved, tiny_rpn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.in_memory import InMemory

NETWORK = {"width": 8, "stride": 8, "anchor_sizes": (12, 24, 48, 96), "resize": ("48x64",)}


def quick(**changes: Any) -> TrainRpn:
    options = {
        **NETWORK,
        "steps": 4,
        "images_per_batch": 2,
        "log_every": 2,
        "anchors_per_image": 32,
        "device": "cpu",
        "threads": 1,
        "loaders": 0,
    }
    return TrainRpn(**(options | changes))


def run(part: InMemory, **changes: Any) -> list[dict[str, Any]]:
    (rows,) = quick(**changes).run(part)
    RPNS.check(rows)
    curve: list[dict[str, Any]] = rows.to_pylist()
    return curve


def weights(part: InMemory) -> bytes:
    return (part.folder / "weights.safetensors").read_bytes()


def recall(part: InMemory, images: range) -> float:
    """At IoU 0.5 with ten proposals, in `images`."""
    rpn = load_rpn(part.folder / "model.json", part.folder / "weights.safetensors", "cpu")
    counts = RecallCounts()
    for row in squares.images(images).to_pylist():
        ((boxes, logits),) = raw_boxes(rpn, [load_image(row)])
        kept, _ = Selection(nms=0.5, top_k=10)(boxes, logits, (60, 48))
        ground_truth = [[o[side] for side in ("x0", "y0", "x1", "y1")] for o in row["objects"]]
        counts.add(kept, np.float32(ground_truth))
    return recall_and_ar100(counts.to_json())[0]


@pytest.mark.slow
def test_training_raises_recall_on_images_not_trained_on(tmp_path: Path) -> None:
    part = squares.parts(tmp_path, count=24)
    run(part, steps=0, weights=saved(tiny_rpn(anchor_sizes=NETWORK["anchor_sizes"]), tmp_path)[1])
    untrained = recall(part, range(100, 120))
    larger = {"resize": ("96x120",), "anchor_sizes": (26, 48, 96, 160)}
    rows = run(part, steps=60, images_per_batch=4, log_every=20, learning_rate=0.005, **larger)
    assert recall(part, range(100, 120)) > 0.9 > untrained + 0.4
    assert rows[-1]["loss"] < rows[0]["loss"] / 2


@pytest.mark.slow
def test_the_curve_counts_steps_and_images_and_adds_up(tmp_path: Path) -> None:
    rows = run(squares.parts(tmp_path), steps=5, box_weight=3.0)
    assert [row["step"] for row in rows] == [2, 4, 5]
    assert [row["images"] for row in rows] == [4, 8, 10]
    for row in rows:
        assert row["loss"] == pytest.approx(row["objectness_loss"] + 3 * row["box_loss"], rel=1e-5)


@pytest.mark.slow
def test_categories_do_not_change_a_byte(tmp_path: Path) -> None:
    def renamed(number: int) -> list[squares.Object]:
        rng = np.random.default_rng(number)
        return [{**o, "category": f"no {rng.integers(99)}"} for o in squares.objects(number)]

    named = squares.parts(tmp_path / "named")
    other = squares.parts(tmp_path / "other", renamed)
    assert run(named) == run(other)
    assert weights(named) == weights(other)


@pytest.mark.slow
def test_only_the_named_categories_take_part(tmp_path: Path) -> None:
    def only_red(number: int) -> list[squares.Object]:
        return [o for o in squares.objects(number) if o["category"] == "red square"]

    names = tmp_path / "base.txt"
    names.write_text("\n  red square \n\n")
    filtered, removed = squares.parts(tmp_path / "a"), squares.parts(tmp_path / "b", only_red)
    assert run(filtered, only_categories=names) == run(removed)
    assert weights(filtered) == weights(removed)
    unfiltered = squares.parts(tmp_path / "c")
    run(unfiltered)
    assert weights(unfiltered) != weights(filtered)


@pytest.mark.slow
def test_crowds_and_images_without_a_box_are_left_out(tmp_path: Path) -> None:
    def crowded(number: int) -> list[squares.Object]:
        crowd = squares.drawn([0.0, 0.0, 60.0, 48.0], "people", is_crowd=True)
        return [crowd] if number % 3 == 0 else [crowd, *squares.objects(number)]

    def absent(number: int) -> list[squares.Object]:
        return [] if number % 3 == 0 else squares.objects(number)

    with_crowds = squares.parts(tmp_path / "a", crowded)
    without = squares.parts(tmp_path / "b", absent)
    assert run(with_crowds) == run(without)
    assert weights(with_crowds) == weights(without)
    rows = run(squares.parts(tmp_path / "c", absent), steps=None, epochs=1, images_per_batch=4)
    assert rows[-1]["images"] == 8


def test_without_any_box_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="no image is left"):
        run(squares.parts(tmp_path, lambda number: []))


class KilledError(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"optimiser": "sgd", "resize": ("48x64", "64x80")}])
def test_a_killed_run_ends_in_the_same_bytes(tmp_path: Path, changes: dict[str, Any]) -> None:
    options = {"steps": 7, "checkpoint_every": 3, **changes}
    undisturbed, killed = squares.parts(tmp_path / "a"), squares.parts(tmp_path / "b")
    expected = run(undisturbed, **options)

    def die(count: int = 1) -> None:
        killed.advanced += count
        if killed.advanced >= 5:
            raise KilledError

    killed.advance = die  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        run(killed, **options)
    assert (killed.scratch / "checkpoint.pt").exists()
    again = squares.parts(tmp_path / "b")
    assert run(again, **options) == expected
    assert weights(again) == weights(undisturbed)


@pytest.mark.slow
def test_threads_do_not_change_a_byte(tmp_path: Path) -> None:
    serial, threaded = squares.parts(tmp_path / "a"), squares.parts(tmp_path / "b")
    assert run(serial, loaders=0) == run(threaded, loaders=3, cache_mb=5)
    assert weights(serial) == weights(threaded)


def test_zero_steps_import_a_network_unchanged(tmp_path: Path) -> None:
    rpn = tiny_rpn(anchor_sizes=NETWORK["anchor_sizes"])
    _, path = saved(rpn, tmp_path)
    part = squares.parts(tmp_path / "out")
    assert quick(steps=0, weights=path).requires() == {}
    assert run(part, steps=0, weights=path) == []
    assert weights(part) == path.read_bytes()
    assert json.loads((part.folder / "model.json").read_text())["anchor_sizes"] == [12, 24, 48, 96]
    assert part.notes == {"tensors_unused": 0}


@pytest.mark.parametrize("weights_of", ["nothing", "backbone"])
def test_zero_steps_need_a_whole_network(tmp_path: Path, weights_of: str) -> None:
    path = None
    if weights_of == "backbone":
        path = tmp_path / "body.pth"
        torch.save(tiny_rpn().backbone.body.state_dict(), path)
    with pytest.raises(OptionError, match="imports a whole network"):
        run(squares.parts(tmp_path), steps=0, weights=path)


@pytest.mark.slow
def test_norms_of_loaded_weights_are_frozen_and_those_of_new_ones_trained(tmp_path: Path) -> None:
    _, path = saved(tiny_rpn(anchor_sizes=NETWORK["anchor_sizes"]), tmp_path)
    before = load_file(path)
    frozen, trained = squares.parts(tmp_path / "a"), squares.parts(tmp_path / "b")
    run(frozen, weights=path)
    run(trained)
    norm = "backbone.body.0.1."
    for name in ("weight", "running_mean", "running_var"):
        assert torch.equal(
            load_file(frozen.folder / "weights.safetensors")[norm + name], before[norm + name]
        )
    assert not torch.equal(
        load_file(frozen.folder / "weights.safetensors")["backbone.body.0.0.weight"],
        before["backbone.body.0.0.weight"],
    )
    assert load_file(trained.folder / "weights.safetensors")[norm + "running_mean"].abs().sum() > 0


@pytest.mark.slow
def test_half_precision_halves_the_file_and_can_be_loaded(tmp_path: Path) -> None:
    full, half = squares.parts(tmp_path / "a"), squares.parts(tmp_path / "b")
    run(full)
    run(half, save_dtype="float16")
    assert len(weights(half)) < 0.55 * len(weights(full))
    assert 0 <= recall(half, range(2)) <= 1


def test_files_are_identified_by_content_not_by_name(tmp_path: Path) -> None:
    names, other = tmp_path / "a.txt", tmp_path / "b.txt"
    names.write_text("dog")
    other.write_text("dog")
    first, second = quick(only_categories=names), quick(only_categories=other)
    assert first.recipe() == second.recipe()
    assert first.digests() == second.digests()
    other.write_text("cat")
    assert first.digests() != second.digests()
    assert quick().digests() == {}


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff", b"cat\ndog\ncat", b"cat\nCat"])
def test_a_list_of_categories_must_name_some(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "names.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=r"names\.txt"):
        run(squares.parts(tmp_path / "a"), only_categories=path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"resize": ("320",)}, "--resize is SHORTESTxLONGEST"),
        ({"resize": ("native",)}, "--resize is SHORTESTxLONGEST"),
        ({"resize": ("64x32",)}, "longest must be at least shortest"),
        ({"anchor_sizes": (32, 64)}, "needs 4 anchor sizes, got 2"),
        ({"stride": 5}, "stride must be one of"),
        ({"background_iou": 0.8}, "--background-iou must be at most"),
        ({"backbone": "vgg"}, "--backbone must be one of"),
        ({"positive": 0.0}, "--positive must be above 0"),
    ],
)
def test_impossible_options_are_refused_with_a_sentence(
    options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(OptionError, match=f"rc train-rpn: .*{sentence}"):
        quick(**options)


def test_defaults_follow_the_backbone() -> None:
    small, published = TrainRpn().spec(), TrainRpn(backbone="resnet50").spec()
    assert (small.width, small.strides, small.shortest) == (64, (8, 16, 32, 64), 320)
    assert (published.width, published.strides) == (256, (4, 8, 16, 32, 64))
    assert (published.shortest, published.longest) == (800, 1333)
    assert published.anchor_sizes == (32, 64, 128, 256, 512)
    c4 = TrainRpn(backbone="resnet50", neck="c4").spec()
    assert c4.levels == ((32, 64, 128, 256, 512),)
