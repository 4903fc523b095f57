"""Matching regions with concepts: against the textbook softmax, ties, extremes, real features."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from torch.overrides import TorchFunctionMode

from stages.labelling.concept_matches import ConceptMatches
from stages.labelling.concept_matching import _expand_subset, match_concepts, match_subsets
from tests.stages.sources.samples import shared_data

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

pytestmark = pytest.mark.slow

SEED = 23


def unit(rows: int, width: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, width, generator=generator, dtype=torch.float64), dim=1)


def softmax(features: torch.Tensor, embeddings: torch.Tensor, temperature: float) -> np.ndarray:
    """The softmax as the textbook writes it, in float64."""
    logits = features.double().numpy() @ embeddings.double().numpy().T / temperature
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def assert_matches(
    matches: ConceptMatches, expected: np.ndarray, top_k: int, tolerance: float
) -> None:
    order = np.argsort(-expected, axis=1, kind="stable")
    kept = np.take_along_axis(expected, order, axis=1)
    k = min(top_k, expected.shape[1])
    np.testing.assert_array_equal(matches.indices.numpy(), order[:, :k])
    np.testing.assert_allclose(matches.probabilities.numpy(), kept[:, :k], rtol=tolerance)
    np.testing.assert_allclose(
        matches.residual.numpy(), kept[:, k:].sum(axis=1), rtol=tolerance, atol=1e-300
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(expected > 0, expected * np.log(expected), 0).sum(axis=1)
    np.testing.assert_allclose(matches.entropy.numpy(), entropy, rtol=tolerance, atol=tolerance)
    margin = kept[:, 0] - (kept[:, 1] if expected.shape[1] > 1 else 0)
    np.testing.assert_allclose(matches.margin.numpy(), margin, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("temperature", [1.0, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("block", [(1, 7), (5, 1), (8, 64), (100, 10_000)])
def test_matches_are_the_textbook_softmax_for_any_block_size(temperature, block) -> None:
    seed = SEED
    features, embeddings = unit(23, 16, seed), unit(201, 16, seed + 1)
    matches = match_concepts(features, embeddings, temperature, 5, block)
    assert matches.indices.shape == (23, 5)
    assert_matches(matches, softmax(features, embeddings, temperature), 5, 1e-9)


class Largest(TorchFunctionMode):
    """Notes how many numbers the largest tensor has that is made."""

    numbers = 0

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.numbers = max(self.numbers, made.numel())
        return made


@pytest.mark.parametrize("bias", [None, -1.0])
@pytest.mark.parametrize("block", [(2, 50), (50, 2), (10, 10)])
def test_memory_is_that_of_a_few_blocks(block: tuple[int, int], bias: float | None) -> None:
    features, embeddings = unit(60, 2, 0), unit(60, 2, 1)
    with Largest() as largest:
        match_concepts(features, embeddings, 0.1, 1, block, bias)
    assert largest.numbers <= 4 * block[0] * block[1]


@pytest.mark.parametrize("top_k", [1, 2, 3, 12, 13, 99])
def test_any_number_of_concepts_can_be_kept(top_k) -> None:
    features, embeddings = unit(9, 8, 0), unit(13, 8, 1)
    matches = match_concepts(features, embeddings, 0.05, top_k, block=(4, 4))
    assert matches.indices.shape == (9, min(top_k, 13))
    assert_matches(matches, softmax(features, embeddings, 0.05), top_k, 1e-9)


def test_probabilities_and_residual_add_up_to_one() -> None:
    matches = match_concepts(unit(50, 8, 2), unit(300, 8, 3), 0.02, 16)
    total = matches.probabilities.sum(dim=1) + matches.residual
    torch.testing.assert_close(total, torch.ones(50, dtype=torch.float64))


def test_single_precision_is_close_to_double() -> None:
    features, embeddings = unit(64, 256, 4), unit(700, 256, 5)
    matches = match_concepts(features.float(), embeddings.float(), 0.01, 8, (20, 128))
    expected = match_concepts(features, embeddings, 0.01, 8)
    torch.testing.assert_close(matches.cosines.double(), expected.cosines, rtol=0, atol=1e-6)
    for name in ("probabilities", "residual", "margin", "entropy"):
        actual = getattr(matches, name).double()
        torch.testing.assert_close(actual, getattr(expected, name), rtol=1e-3, atol=1e-5)


def test_a_residual_far_below_one_keeps_its_digits() -> None:
    embeddings = torch.eye(3, dtype=torch.float32)
    matches = match_concepts(embeddings[:1], embeddings, 0.05, 1)
    assert matches.residual.item() == pytest.approx(2 * np.exp(-20), rel=1e-5)  # 1 - p is 0 here


@pytest.mark.parametrize("block", [(1, 1), (1, 2), (9, 100)])
def test_of_equal_concepts_the_lowest_index_comes_first(block) -> None:
    dog, cat = [1.0, 0.0], [0.0, 1.0]
    embeddings = torch.tensor([cat, dog, cat, dog, dog])
    matches = match_concepts(torch.tensor([dog]), embeddings, 0.1, 2, block)
    assert matches.indices.tolist() == [[1, 3]]
    all_matches = match_concepts(torch.tensor([dog]), embeddings, 0.1, 5, block)
    assert all_matches.indices.tolist() == [[1, 3, 4, 0, 2]]
    assert all_matches.margin.item() == 0


def test_a_pool_of_one_concept_has_probability_one() -> None:
    matches = match_concepts(unit(3, 4, 0), unit(1, 4, 1), 0.01, 16)
    assert matches.probabilities.tolist() == [[1.0]] * 3
    assert matches.margin.tolist() == [1.0] * 3
    assert matches.residual.tolist() == matches.entropy.tolist() == [0.0] * 3


def test_without_regions_matches_are_empty() -> None:
    matches = match_concepts(unit(0, 4, 0), unit(5, 4, 1), 0.01, 2)
    assert matches.indices.shape == (0, 2)
    assert matches.entropy.shape == (0,)


def test_a_tiny_temperature_neither_overflows_nor_changes_the_best_concept() -> None:
    features, embeddings = unit(20, 8, 6).float(), unit(90, 8, 7).float()
    matches = match_concepts(features, embeddings, 1e-6, 4, block=(7, 11))
    for name in ("probabilities", "residual", "margin", "entropy"):
        assert torch.isfinite(getattr(matches, name)).all(), name
    best = (features @ embeddings.T).argmax(dim=1)
    assert torch.equal(matches.indices[:, 0], best)


def real_vectors() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """ViT-B/32 features of photographs by name, and embeddings of "a NAME" by LVIS category."""
    folder = shared_data("clip_embeddings")
    photos = np.load(folder / "photo_embeddings_vitb32.npy").astype(np.float32)
    texts = np.load(folder / "lvis_v1_clip_a+cname.npy").astype(np.float32)
    names = json.loads((folder / "photo_embeddings_vitb32.names.json").read_text())
    categories = json.loads((folder / "lvis_v1_train_cat_info.json").read_text())
    words = [c["name"] for c in sorted(categories, key=lambda c: c["id"])]
    images = dict(zip(names, F.normalize(torch.from_numpy(photos), dim=1), strict=True))
    return images, dict(zip(words, F.normalize(torch.from_numpy(texts), dim=1), strict=True))


SHOWN = {
    "456_123": "kitten",
    "208_495": "surfboard",  # a boardwalk to the sea
    "321_421": "coconut",  # palms
    "389_535": "street_sign",
}


def test_among_all_categories_of_lvis_real_photographs_match_what_they_show() -> None:
    images, texts = real_vectors()
    words = list(texts)
    features = torch.stack([images[name] for name in SHOWN])
    embeddings = torch.stack(list(texts.values()))
    matches = match_concepts(features, embeddings, 0.01, 2, block=(3, 500))
    best = {n: [words[i] for i in row] for n, row in zip(SHOWN, matches.indices, strict=True)}
    assert all(word in best[name] for name, word in SHOWN.items()), best
    assert (best["456_123"][0], best["389_535"][0]) == ("kitten", "street_sign")
    assert_matches(matches, softmax(features, embeddings, 0.01), 2, 1e-3)


def test_in_a_pool_of_four_each_real_photograph_matches_its_own_concept() -> None:
    images, texts = real_vectors()
    features = torch.stack([images[name] for name in SHOWN])
    pool = torch.stack([texts[word] for word in SHOWN.values()])
    matches = match_concepts(features, pool, 0.01, 4)
    assert matches.indices[:, 0].tolist() == [0, 1, 2, 3]
    assert (matches.probabilities[:, 0] > 0.5).all()


@pytest.mark.gpu
def test_cuda_gives_the_matches_of_the_cpu() -> None:
    features, embeddings = unit(500, 512, 8).float(), unit(5000, 512, 9).float()
    on_cpu = match_concepts(features, embeddings, 0.01, 64)
    on_cuda = match_concepts(features.cuda(), embeddings.cuda(), 0.01, 64)
    torch.testing.assert_close(on_cuda.cosines.cpu(), on_cpu.cosines, rtol=0, atol=2e-6)
    for name in ("probabilities", "residual", "margin", "entropy"):
        actual = getattr(on_cuda, name).cpu()
        torch.testing.assert_close(actual, getattr(on_cpu, name), rtol=2e-3, atol=1e-5)
    assert (on_cuda.indices[:, 0].cpu() == on_cpu.indices[:, 0]).float().mean() > 0.999


def test_a_subset_is_matched_as_a_pool_of_its_own() -> None:
    generator = torch.Generator().manual_seed(SEED)
    features = F.normalize(torch.randn(7, 16, generator=generator), dim=1)
    embeddings = F.normalize(torch.randn(9, 16, generator=generator), dim=1)
    subsets = [[1, 4, 8], [1, 4, 8], [0], [2, 3, 5, 6, 7], [2, 3, 5, 6, 7], [0, 8], [4]]
    matches = match_subsets(features, embeddings, subsets, 0.05, top_k=4)
    for row, subset in enumerate(subsets):
        cosines = (embeddings[subset].double() @ features[row].double()) / 0.05
        expected = torch.zeros(9, dtype=torch.float64)
        expected[subset] = cosines.softmax(0)
        rebuilt = torch.zeros(9, dtype=torch.float64)
        rebuilt[matches.indices[row]] = matches.probabilities[row].double()
        kept = expected.topk(4).values
        assert matches.indices[row].unique().numel() == 4
        assert torch.allclose(rebuilt.sort(descending=True).values[:4], kept, atol=1e-5)
        assert matches.indices[row, 0] == expected.argmax()
        assert float(matches.residual[row]) == pytest.approx(float(1 - kept.sum()), abs=1e-5)


def test_equal_subsets_give_equal_matches_wherever_they_stand() -> None:
    features, embeddings = unit(6, 8, 1), unit(12, 8, 2)
    subsets = [[0, 3, 5], [1, 2], [0, 3, 5], [7], [1, 2], [0, 3, 5]]
    matches = match_subsets(features, embeddings, subsets, 0.1, top_k=3)
    for row, subset in enumerate(subsets):
        alone = match_subsets(features[row : row + 1], embeddings, [subset], 0.1, top_k=3)
        assert alone.indices.tolist() == matches.indices[row : row + 1].tolist()
        torch.testing.assert_close(alone.probabilities[0], matches.probabilities[row])
        torch.testing.assert_close(alone.entropy[0], matches.entropy[row])


def test_a_subset_of_one_concept_is_certain_and_filled_with_the_lowest_others() -> None:
    matches = match_subsets(unit(1, 8, 1), unit(5, 8, 2), [[1]], 0.1, top_k=4)
    assert matches.indices.tolist() == [[1, 0, 2, 3]]
    assert matches.probabilities.tolist() == [[1.0, 0.0, 0.0, 0.0]]
    assert matches.cosines[0, 1:].tolist() == [0.0] * 3
    assert (matches.margin.item(), matches.residual.item(), matches.entropy.item()) == (1, 0, 0)


def test_a_subset_is_filled_up_on_the_device_of_its_matches() -> None:
    pairs, ones = torch.empty(3, 2, device="meta"), torch.empty(3, device="meta")
    matches = ConceptMatches(pairs.long(), pairs, pairs, ones, ones, ones)
    filled = _expand_subset(matches, [1, 4], 5)
    for values in (filled.indices, filled.cosines, filled.probabilities):
        assert (values.device.type, values.shape) == ("meta", (3, 5))


def test_no_regions_with_subsets_give_empty_matches_of_full_width() -> None:
    matches = match_subsets(unit(0, 8, 1), unit(5, 8, 2), [], 0.1, top_k=9)
    assert matches.indices.shape == matches.probabilities.shape == (0, 5)


def test_under_sigmoids_a_subset_has_the_same_probabilities_as_in_the_whole_pool() -> None:
    features, embeddings = unit(3, 8, 1), unit(6, 8, 2)
    subsets = [[0, 2, 3], [4], [1, 5]]
    matches = match_subsets(features, embeddings, subsets, 0.1, top_k=2, bias=-3.0)
    logits = (features @ embeddings.T).numpy() / 0.1 - 3
    p = 1 / (1 + np.exp(-logits))
    for row, subset in enumerate(subsets):
        best = sorted(subset, key=lambda c, row=row: -p[row, c])[:2]
        assert matches.indices[row, : len(best)].tolist() == best
        assert matches.probabilities[row, : len(best)].tolist() == pytest.approx(p[row, best])
        others = [1 - p[row, c] for c in subset if c not in best]
        assert matches.residual[row].item() == pytest.approx(1 - np.prod(others))
    assert matches.probabilities[1, 1].item() == 0
    assert match_subsets(unit(0, 8, 1), embeddings, [], 0.1, 2, bias=0.0).indices.shape == (0, 2)
