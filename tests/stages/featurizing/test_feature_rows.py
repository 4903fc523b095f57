from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from schemas.errors import OptionError, SourceError
from schemas.table import as_matrix
from stages.evaluation.region_features import PoolingConfig, region_features
from stages.featurize import Featurize
from stages.models.clip import load_clip
from stages.models.dense_option import DEFAULT_RESIZE
from stages.models.preprocess import Size, prepare
from stages.pixels import load_image
from tests.in_memory import InMemory
from tests.stages.featurizing.boxed_images import featurize, image_row, images, proposals
from tests.stages.models.tiny import tiny_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[tuple[str, str], Path]:
    return tiny_files(tmp_path_factory.mktemp("teacher"))


def keys(table: pa.Table) -> list[tuple[str, int]]:
    columns = (table.column(name).to_pylist() for name in ("image_id", "region"))
    return list(zip(*columns, strict=True))


def test_every_region_is_pooled_from_the_map_of_its_resized_image(files) -> None:
    row, box = image_row("a"), [10, 20, 60, 65]
    part = InMemory({"images": images(row), "proposals": proposals(("a", 0, box))}, files=files)
    table = featurize(part, dtype="float32")
    clip = load_clip(*files.values(), "cpu")
    ready = prepare(load_image(row), Size(64, 120), "bilinear", clip.spec.mean, clip.spec.std)
    assert ready.pixels.shape == (3, 64, 82)
    expected = [[0, 0, 82, 64], [10 * 82 / 90, 20 * 64 / 70, 60 * 82 / 90, 65 * 64 / 70]]
    features = clip.encode_regions(ready.pixels[None], [torch.tensor(expected)])
    assert keys(table) == [("a", -1), ("a", 0)]
    np.testing.assert_allclose(as_matrix(table, "feature"), features.numpy(), rtol=1e-4, atol=1e-5)
    assert part.advanced == 1


def test_an_image_without_proposals_has_only_the_whole_image(files) -> None:
    rows = [image_row(name, seed=n) for n, name in enumerate("abcd")]
    boxes = proposals(("b", 0, [0, 0, 9, 9]), ("b", 1, [1, 1, 50, 50]), ("d", 0, [5, 5, 40, 30]))
    part = InMemory({"images": images(*rows), "proposals": boxes}, files=files)
    whole = [("a", -1), ("b", -1), ("b", 0), ("b", 1), ("c", -1), ("d", -1), ("d", 0)]
    assert keys(featurize(part)) == whole
    assert keys(featurize(part, whole_image=False)) == [k for k in whole if k[1] >= 0]
    assert part.refused == []


def test_without_proposals_only_whole_images_have_features(files) -> None:
    part = InMemory({"images": images(image_row("a")), "proposals": proposals()}, files=files)
    assert keys(featurize(part)) == [("a", -1)]
    assert keys(featurize(part, whole_image=False)) == []


@pytest.mark.slow
def test_batch_sizes_do_not_change_the_rows(files) -> None:
    rows = [image_row(f"i{n}", (64 + 8 * (n % 2), 64), n) for n in range(7)]
    boxes = [(f"i{n}", r, [r, r, 30 + 4 * r, 60]) for n in range(7) for r in range(n % 4)]
    together = InMemory({"images": images(*rows), "proposals": proposals(*boxes)}, files=files)
    expected = featurize(together, dtype="float32")
    cut = InMemory(
        {
            "images": pa.Table.from_batches(images(*rows).to_batches(max_chunksize=2)),
            "proposals": pa.Table.from_batches(proposals(*boxes).to_batches(max_chunksize=2)),
        },
        files=files,
    )
    for options in ({"batch_images": 1, "batch_regions": 1}, {"batch_images": 3, "loaders": 0}):
        rows = featurize(cut, dtype="float32", **options)
        assert keys(rows) == keys(expected)
        np.testing.assert_allclose(
            as_matrix(rows, "feature"), as_matrix(expected, "feature"), rtol=1e-4, atol=1e-5
        )


def test_features_are_stored_in_half_precision_by_default(files) -> None:
    tables = {"images": images(image_row("a")), "proposals": proposals()}
    half, single = (
        as_matrix(featurize(InMemory(tables, files=files), dtype=d), "feature")
        for d in ("float16", "float32")
    )
    assert (half.dtype, single.dtype) == (np.float16, np.float32)
    np.testing.assert_array_equal(half, single.astype(np.float16))


@pytest.mark.parametrize("pooling", ["roialign", "crop"])
def test_a_precision_changes_features_a_little_and_float32_nothing(files, pooling) -> None:
    boxes = proposals(("a", 0, [10, 20, 60, 65]), ("a", 1, [3, 3, 30, 40]))
    tables = {"images": images(image_row("a", seed=4)), "proposals": boxes}
    resize = DEFAULT_RESIZE if pooling == "crop" else "64x120"
    options = {"pooling": pooling, "resize": resize, "dtype": "float32"}
    part, rough_part = InMemory(tables, files=files), InMemory(tables, files=files)
    exact = featurize(part, **options)
    assert featurize(part, **options, precision="float32").equals(exact)
    assert "precision" not in part.notes
    rough = featurize(rough_part, **options, precision="bfloat16")
    assert rough_part.notes["precision"] == "bfloat16"
    assert featurize(part, **options).equals(exact)  # nothing is left behind
    a, b = as_matrix(exact, "feature"), as_matrix(rough, "feature")
    assert not np.array_equal(a, b)
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.min() > 0.99


@pytest.mark.parametrize("precision", ["tf32", "float16"])
def test_a_precision_that_a_cpu_lacks_is_refused(files, precision) -> None:
    part = InMemory({"images": images(image_row("a")), "proposals": proposals()}, files=files)
    with pytest.raises(OptionError, match=f"--precision {precision} needs a CUDA device"):
        featurize(part, precision=precision)


def test_an_image_that_cannot_be_read_is_refused_and_the_run_goes_on(files) -> None:
    gone = image_row("b") | {"content": None, "uri": "/nowhere/b.png"}
    damaged = image_row("c")
    damaged["content"] = damaged["content"][:200]
    damaged["num_bytes"] = 200
    rows = images(image_row("a"), gone, damaged, image_row("d"))
    boxes = proposals(("b", 0, [0, 0, 9, 9]), ("d", 0, [0, 0, 9, 9]))
    part = InMemory({"images": rows, "proposals": boxes}, files=files)
    assert keys(featurize(part)) == [("a", -1), ("d", -1), ("d", 0)]
    assert [(record, reason) for record, reason, _ in part.refused] == [
        ("b", "unreadable"),
        ("c", "unreadable"),
    ]
    assert part.advanced == 4


def test_an_image_without_regions_is_not_opened(files) -> None:
    gone = image_row("a") | {"content": None, "uri": "/nowhere/a.png"}
    part = InMemory({"images": images(gone), "proposals": proposals()}, files=files)
    assert keys(featurize(part, whole_image=False)) == []
    assert part.refused == []


def test_only_a_feature_that_is_not_finite_is_refused(files, monkeypatch) -> None:
    import stages.models.region_encoding as many

    real = many.encode_regions_batched

    def spoiled(*args: Any) -> list[np.ndarray]:
        features = [f.copy() for f in real(*args)]
        features[0][1, 3] = np.nan
        features[0][2, 0] = 1e6  # infinite in half precision
        return features

    monkeypatch.setattr(many, "encode_regions_batched", spoiled)
    boxes = proposals(*[("a", r, [0, 0, 20 + r, 30]) for r in range(3)])
    part = InMemory({"images": images(image_row("a")), "proposals": boxes}, files=files)
    assert keys(featurize(part)) == [("a", -1), ("a", 2)]
    assert [(r, code) for r, code, _ in part.refused] == [
        ("a#0", "nan-feature"),
        ("a#1", "nan-feature"),
    ]


def test_a_tiny_image_is_featurized_too(files) -> None:
    part = InMemory(
        {
            "images": images(image_row("a", (1, 1)), image_row("b", (300, 2))),
            "proposals": proposals(("a", 0, [0, 0, 1, 1]), ("b", 0, [7, 0, 8, 2])),
        },
        files=files,
    )
    assert len(keys(featurize(part))) == 4
    assert part.refused == []


def test_native_size_is_the_networks_own_and_gives_clips_own_feature(files) -> None:
    row = image_row("a", (64, 64))
    part = InMemory({"images": images(row), "proposals": proposals()}, files=files)
    table = featurize(part, resize="native", dtype="float32")
    clip = load_clip(*files.values(), "cpu")
    ready = prepare(load_image(row), Size(None), "bilinear", clip.spec.mean, clip.spec.std)
    expected = clip.encode_images(ready.pixels[None]).numpy()
    np.testing.assert_allclose(as_matrix(table, "feature"), expected, rtol=1e-4, atol=1e-5)


def test_crops_are_encoded_one_by_one_as_images_and_batched_over_images(files) -> None:
    rows = [image_row(name, (90, 70 - 9 * n), n) for n, name in enumerate("abc")]
    boxes = proposals(
        ("a", 0, [10, 20, 60, 65]), ("c", 3, [0, 0, 20, 50]), ("c", 5, [9, 9, 10, 40])
    )
    part = InMemory({"images": images(*rows), "proposals": boxes}, files=files)
    options = {"pooling": "crop", "crop_margin": 0.2, "interpolation": "bicubic"}
    options["resize"] = DEFAULT_RESIZE
    table = featurize(part, dtype="float32", batch_regions=4, **options)
    assert keys(table) == [("a", -1), ("a", 0), ("b", -1), ("c", -1), ("c", 3), ("c", 5)]
    clip = load_clip(*files.values(), "cpu")
    config = PoolingConfig("crop", "none", "bicubic", crop_margin=0.2)
    corners = {("a", 0): [10, 20, 60, 65], ("c", 3): [0, 0, 20, 50], ("c", 5): [9, 9, 10, 40]}
    for (name, region), feature in zip(keys(table), as_matrix(table, "feature"), strict=True):
        pixels = load_image(rows["abc".index(name)])
        box = corners.get((name, region), [0, 0, pixels.shape[1], pixels.shape[0]])
        (expected,) = region_features(clip, pixels, np.array([box], np.float32), config)
        np.testing.assert_allclose(feature, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_dense_tokens_are_those_asked_for(tmp_path) -> None:
    files = tiny_files(tmp_path, "vit")
    tables = {"images": images(image_row("a")), "proposals": proposals(("a", 0, [9, 9, 60, 60]))}
    auto, value_path, last_block = (
        as_matrix(featurize(InMemory(tables, files=files), dense=dense), "feature")
        for dense in ("auto", "value-path", "last-block")
    )
    assert np.array_equal(auto, value_path)
    assert np.abs(auto - last_block).max() > 0.1


def test_a_choice_that_the_tower_or_the_pooling_does_not_have_is_refused(files) -> None:
    part = InMemory({"images": images(image_row("a")), "proposals": proposals()}, files=files)
    with pytest.raises(SourceError, match="convolutional image tower"):
        featurize(part, dense="last-block")
    with pytest.raises(OptionError, match="--pooling crop makes none; leave one of them out"):
        Featurize(dense="last-block", pooling="crop")


def test_a_missing_teacher_is_refused(tmp_path, files) -> None:
    gone = dict.fromkeys(files, tmp_path / "gone")
    part = InMemory({"images": images(image_row("a")), "proposals": proposals()}, files=gone)
    with pytest.raises(SourceError, match="gone is missing"):
        featurize(part)


@pytest.mark.gpu
def test_cuda_featurizes_like_the_cpu(files) -> None:
    rows = [image_row(f"i{n}", (64 + 8 * (n % 2), 64), n) for n in range(5)]
    boxes = [(f"i{n}", r, [r, r, 30 + 4 * r, 60]) for n in range(5) for r in range(n)]
    tables = {"images": images(*rows), "proposals": proposals(*boxes)}
    here, there = (
        featurize(InMemory(tables, files=files), device=device, dtype="float32")
        for device in ("cpu", "cuda")
    )
    assert keys(here) == keys(there)
    expected = as_matrix(here, "feature")
    np.testing.assert_allclose(
        as_matrix(there, "feature"), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max()
    )
