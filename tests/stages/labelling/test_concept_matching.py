from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from stages.labelling.concept_matching import (
    ConceptMatches,
    concept_probabilities,
    match_concepts,
    match_subsets,
    top_concepts,
)
from tests.stages.sources.samples import shared_data


def unit(rows: int, width: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, width, generator=generator, dtype=torch.float64), dim=1)


def brute(features: torch.Tensor, embeddings: torch.Tensor, temperature: float) -> np.ndarray:
    """The softmax as the textbook writes it, in float64."""
    logits = features.double().numpy() @ embeddings.double().numpy().T / temperature
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def assert_matches(found: ConceptMatches, wanted: np.ndarray, top_k: int, tolerance: float) -> None:
    order = np.argsort(-wanted, axis=1, kind="stable")
    kept = np.take_along_axis(wanted, order, axis=1)
    k = min(top_k, wanted.shape[1])
    np.testing.assert_array_equal(found.indices.numpy(), order[:, :k])
    np.testing.assert_allclose(found.probabilities.numpy(), kept[:, :k], rtol=tolerance)
    np.testing.assert_allclose(
        found.residual.numpy(), kept[:, k:].sum(axis=1), rtol=tolerance, atol=1e-300
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(wanted > 0, wanted * np.log(wanted), 0).sum(axis=1)
    np.testing.assert_allclose(found.entropy.numpy(), entropy, rtol=tolerance, atol=tolerance)
    margin = kept[:, 0] - (kept[:, 1] if wanted.shape[1] > 1 else 0)
    np.testing.assert_allclose(found.margin.numpy(), margin, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("temperature", [1.0, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("block", [(1, 7), (5, 1), (8, 64), (100, 10_000)])
def test_matches_are_the_textbook_softmax_however_concepts_are_cut(temperature, block) -> None:
    seed = int(np.random.default_rng().integers(1 << 30))
    features, embeddings = unit(23, 16, seed), unit(201, 16, seed + 1)
    found = match_concepts(features, embeddings, temperature, 5, block)
    assert_matches(found, brute(features, embeddings, temperature), 5, 1e-9)
    plain = concept_probabilities(features * 3, embeddings * 0.2, temperature)
    np.testing.assert_allclose(plain, brute(features, embeddings, temperature), rtol=1e-9)


@pytest.mark.parametrize("top_k", [1, 2, 3, 12, 13, 99])
def test_any_number_of_concepts_may_be_kept(top_k) -> None:
    features, embeddings = unit(9, 8, 0), unit(13, 8, 1)
    found = match_concepts(features, embeddings, 0.05, top_k, block=(4, 4))
    assert found.indices.shape == (9, min(top_k, 13))
    assert_matches(found, brute(features, embeddings, 0.05), top_k, 1e-9)


def test_the_distribution_adds_up_to_one() -> None:
    found = match_concepts(unit(50, 8, 2), unit(300, 8, 3), 0.02, 16)
    total = found.probabilities.sum(dim=1) + found.residual
    torch.testing.assert_close(total, torch.ones(50, dtype=torch.float64))


def test_single_precision_is_close_to_double() -> None:
    features, embeddings = unit(64, 256, 4), unit(700, 256, 5)
    found = match_concepts(features.float(), embeddings.float(), 0.01, 8, (20, 128))
    wanted = match_concepts(features, embeddings, 0.01, 8)
    torch.testing.assert_close(found.cosines.double(), wanted.cosines, rtol=0, atol=1e-6)
    for name in ("probabilities", "residual", "margin", "entropy"):
        given = getattr(found, name).double()
        torch.testing.assert_close(given, getattr(wanted, name), rtol=1e-3, atol=1e-5)


def test_a_residual_far_below_one_keeps_its_digits() -> None:
    embeddings = torch.eye(3, dtype=torch.float32)
    found = match_concepts(embeddings[:1], embeddings, 0.05, 1)
    assert found.residual.item() == pytest.approx(2 * np.exp(-20), rel=1e-5)  # 1 - p is 0 here


@pytest.mark.parametrize("block", [(1, 1), (1, 2), (9, 100)])
def test_of_equal_concepts_the_first_comes_first(block) -> None:
    dog, cat = [1.0, 0.0], [0.0, 1.0]
    embeddings = torch.tensor([cat, dog, cat, dog, dog])
    found = match_concepts(torch.tensor([dog]), embeddings, 0.1, 2, block)
    assert found.indices.tolist() == [[1, 3]]
    everything = match_concepts(torch.tensor([dog]), embeddings, 0.1, 5, block)
    assert everything.indices.tolist() == [[1, 3, 4, 0, 2]]
    assert everything.margin.item() == 0


def test_top_concepts_break_every_tie_by_place() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randint(0, 4, (300, 40), generator=generator).float()
    wanted = np.argsort(-scores.numpy(), axis=1, kind="stable")
    for count in (1, 3, 10, 39, 40, 60):
        values, places = top_concepts(scores, count)
        np.testing.assert_array_equal(places.numpy(), wanted[:, :count])
        torch.testing.assert_close(values, scores.gather(1, places))


@pytest.mark.parametrize(("columns", "count"), [(400, 3), (401, 20), (407, 24), (1000, 62), (9, 1)])
def test_sorting_groups_first_finds_the_same_leaders(columns, count) -> None:
    generator = torch.Generator().manual_seed(columns)
    smooth = torch.randn(40, columns, generator=generator, dtype=torch.float64)
    for scores in (smooth, smooth.round(decimals=1), smooth.round(), torch.zeros(3, columns)):
        wanted = np.argsort(-scores.numpy(), axis=1, kind="stable")[:, :count]
        np.testing.assert_array_equal(top_concepts(scores, count)[1].numpy(), wanted)


def test_a_pool_of_one_is_certain() -> None:
    found = match_concepts(unit(3, 4, 0), unit(1, 4, 1), 0.01, 16)
    assert found.probabilities.tolist() == [[1.0]] * 3
    assert found.margin.tolist() == [1.0] * 3
    assert found.residual.tolist() == found.entropy.tolist() == [0.0] * 3


def test_no_regions_make_empty_matches() -> None:
    found = match_concepts(unit(0, 4, 0), unit(5, 4, 1), 0.01, 2)
    assert found.indices.shape == (0, 2)
    assert found.entropy.shape == (0,)


def test_the_sharpest_temperature_neither_overflows_nor_loses_the_winner() -> None:
    features, embeddings = unit(20, 8, 6).float(), unit(90, 8, 7).float()
    found = match_concepts(features, embeddings, 1e-6, 4, block=(7, 11))
    for name in ("probabilities", "residual", "margin", "entropy"):
        assert torch.isfinite(getattr(found, name)).all(), name
    winners = (features @ embeddings.T).argmax(dim=1)
    assert torch.equal(found.indices[:, 0], winners)


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


SEEN = {
    "456_123": "kitten",
    "208_495": "surfboard",  # a boardwalk to the sea
    "321_421": "coconut",  # palms
    "389_535": "street_sign",
}


def test_among_all_of_lvis_real_photographs_are_what_they_show() -> None:
    images, texts = real_vectors()
    words = list(texts)
    features = torch.stack([images[name] for name in SEEN])
    embeddings = torch.stack(list(texts.values()))
    found = match_concepts(features, embeddings, 0.01, 2, block=(3, 500))
    best = {n: [words[i] for i in row] for n, row in zip(SEEN, found.indices, strict=True)}
    assert all(word in best[name] for name, word in SEEN.items()), best
    assert (best["456_123"][0], best["389_535"][0]) == ("kitten", "street_sign")
    assert_matches(found, brute(features, embeddings, 0.01), 2, 1e-3)


def test_in_a_pool_of_four_each_real_photograph_finds_its_own_concept() -> None:
    images, texts = real_vectors()
    features = torch.stack([images[name] for name in SEEN])
    pool = torch.stack([texts[word] for word in SEEN.values()])
    found = match_concepts(features, pool, 0.01, 4)
    assert found.indices[:, 0].tolist() == [0, 1, 2, 3]
    assert (found.probabilities[:, 0] > 0.5).all()


@pytest.mark.gpu
def test_cuda_matches_like_the_cpu() -> None:
    features, embeddings = unit(500, 512, 8).float(), unit(5000, 512, 9).float()
    here = match_concepts(features, embeddings, 0.01, 64)
    there = match_concepts(features.cuda(), embeddings.cuda(), 0.01, 64)
    torch.testing.assert_close(there.cosines.cpu(), here.cosines, rtol=0, atol=2e-6)
    for name in ("probabilities", "residual", "margin", "entropy"):
        given = getattr(there, name).cpu()
        torch.testing.assert_close(given, getattr(here, name), rtol=2e-3, atol=1e-5)
    assert (there.indices[:, 0].cpu() == here.indices[:, 0]).float().mean() > 0.999


def test_subsets_are_matched_as_if_the_others_did_not_exist() -> None:
    generator = torch.Generator().manual_seed(int(np.random.default_rng().integers(1 << 30)))
    features = F.normalize(torch.randn(7, 16, generator=generator), dim=1)
    embeddings = F.normalize(torch.randn(9, 16, generator=generator), dim=1)
    subsets = [[1, 4, 8], [1, 4, 8], [0], [2, 3, 5, 6, 7], [2, 3, 5, 6, 7], [0, 8], [4]]
    found = match_subsets(features, embeddings, subsets, 0.05, top_k=4)
    for row, places in enumerate(subsets):
        cosines = (embeddings[places].double() @ features[row].double()) / 0.05
        expected = torch.zeros(9, dtype=torch.float64)
        expected[places] = cosines.softmax(0)
        rebuilt = torch.zeros(9, dtype=torch.float64)
        rebuilt[found.indices[row]] = found.probabilities[row].double()
        kept = expected.topk(4).values
        assert found.indices[row].unique().numel() == 4
        assert torch.allclose(rebuilt.sort(descending=True).values[:4], kept, atol=1e-5)
        assert found.indices[row, 0] == expected.argmax()
        assert float(found.residual[row]) == pytest.approx(float(1 - kept.sum()), abs=1e-5)
