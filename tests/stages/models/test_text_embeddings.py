from __future__ import annotations

import numpy as np
import pytest
import torch

from stages.models.text_embeddings import average, embed_groups, embed_names
from stages.models.text_encoding import encode_trimmed
from tests.stages.models.texts import encode_texts
from tests.stages.models.tiny import tiny_clip

TEMPLATES = ("{}.", "a photo of a {}.", "the {} in the picture")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return tiny_clip(tmp_path_factory.mktemp("clip"))


@pytest.mark.parametrize("batch", [1, 4, 1000])
def test_an_embedding_is_the_mean_of_the_raw_embeddings_of_its_prompts(clip, batch) -> None:
    embeddings = embed_names(clip, ["dog", "traffic_light"], TEMPLATES, "reference", batch)
    prompts = [["dog.", "a photo of a dog.", "the dog in the picture"]]
    prompts += [[p.replace("dog", "traffic light") for p in prompts[0]]]
    expected = torch.stack([encode_texts(clip, of_one).mean(dim=0) for of_one in prompts])
    torch.testing.assert_close(embeddings, expected.detach(), rtol=1e-4, atol=1e-6)


def test_openai_averages_directions_and_gives_unit_rows() -> None:
    vectors = np.random.default_rng(0).normal(size=(5, 3, 8))
    unit = vectors / np.linalg.norm(vectors, axis=2, keepdims=True)
    mean = unit.mean(axis=1)
    expected = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(average(torch.from_numpy(vectors), "openai").numpy(), expected)


def test_the_two_rules_differ_by_how_much_length_counts() -> None:
    vectors = torch.tensor([[[3.0, 0.0], [0.0, 1.0]]])
    assert average(vectors, "reference").tolist() == [[1.5, 0.5]]
    torch.testing.assert_close(average(vectors, "openai"), torch.full((1, 2), 0.5**0.5))


def test_names_that_are_equal_after_cleaning_are_encoded_once(clip, monkeypatch) -> None:
    texts_encoded: list[str] = []
    real = clip.tokenize
    monkeypatch.setattr(
        clip, "tokenize", lambda texts, long: (texts_encoded.extend(texts), real(texts, long))[1]
    )
    embeddings = embed_names(clip, ["hot_dog", "cat", "hot dog"], ("{}",), "reference", 10)
    assert texts_encoded == ["hot dog", "cat"]
    assert torch.equal(embeddings[0], embeddings[2])


@pytest.mark.parametrize("averaging", ["reference", "openai"])
@pytest.mark.parametrize("batch", [1, 1000])
def test_a_group_has_the_average_over_the_prompts_of_all_its_names(clip, averaging, batch) -> None:
    groups = [["dog", "puppy", "hot_dog"], ["cat"], ["puppy", "cat"]]
    embeddings = embed_groups(clip, groups, TEMPLATES, averaging, batch)
    for names, embedding in zip(groups, embeddings, strict=True):
        prompts = [t.replace("{}", n.replace("_", " ")) for n in names for t in TEMPLATES]
        of_prompts = encode_texts(clip, prompts).detach().double().numpy()
        if averaging == "openai":
            of_prompts /= np.linalg.norm(of_prompts, axis=1, keepdims=True)
        expected = of_prompts.mean(axis=0)
        if averaging == "openai":
            expected /= np.linalg.norm(expected)
        np.testing.assert_allclose(embedding.numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("averaging", ["reference", "openai"])
def test_a_single_name_has_the_bytes_of_the_average_over_its_prompts(clip, averaging) -> None:
    names = ["dog", "cat", "traffic light"]
    embeddings = embed_groups(clip, [[name] for name in names], TEMPLATES, averaging, 1000)
    assert torch.equal(embeddings, embed_names(clip, names, TEMPLATES, averaging, 1000))
    prompts = [t.replace("{}", name) for name in names for t in TEMPLATES]
    raw = encode_trimmed(clip, clip.tokenize(prompts, "cut")).float().detach()
    assert torch.equal(embeddings, average(raw.view(3, len(TEMPLATES), -1), averaging))


def test_no_names_give_no_rows(clip) -> None:
    assert embed_groups(clip, [], TEMPLATES, "openai", 8).shape == (0, 32)
    assert embed_names(clip, [], TEMPLATES, "reference", 8).shape == (0, 32)


def test_names_that_are_too_long_have_one_embedding_unless_their_end_token_is_kept(clip) -> None:
    names = ["very " * 400 + "long", "rather " * 300 + "long", "x"]
    cut = embed_names(clip, names, ("{}.",), "reference", 8)
    kept = embed_names(clip, names, ("{}.",), "reference", 8, "keep-end")
    assert torch.equal(cut[0], cut[1])
    assert (kept[0] - kept[1]).abs().max() > 1e-3
    torch.testing.assert_close(cut[2], kept[2])
