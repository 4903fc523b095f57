"""Items 8 and 9: prompts, their mean, and the order of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import open_clip
import pyarrow as pa
import pytest
import torch

from schemas.concepts import CONCEPTS
from schemas.table import as_matrix
from stages.embed_concepts import EmbedConcepts
from stages.models.clip import save_clip
from stages.models.text_embeddings import embed_names
from stages.pretrain import Pretrain
from stages.text.templates import clean_name, fill_template, read_templates
from stages.train import Train
from tests.in_memory import InMemory
from tests.parity import nets

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models.clip import Clip

START, END = 49406, 49407
ENCODE = open_clip.tokenizer.SimpleTokenizer().encode


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return nets.thin(tmp_path_factory.mktemp("thin"), side=64)


def end_features(clip: Clip, prompts: list[str]) -> torch.Tensor:
    """All 77 tokens through the encoder, the row of the end token projected, one by one."""
    rows = []
    for prompt in prompts:
        ids = [START, *ENCODE(prompt), END]
        padded = torch.zeros(1, 77, dtype=torch.int64)
        padded[0, : len(ids)] = torch.tensor(ids)
        with torch.no_grad():
            rows.append(clip.network.encode_text(padded)[0].double())
    return torch.stack(rows)


def test_item_08_there_are_81_templates_and_the_first_is_the_bare_name() -> None:
    templates = read_templates("paper")
    assert len(templates) == 81
    assert templates[0] == "{}."
    assert "a photo of a {}." in templates
    assert "itap of my {}." in templates
    assert len(set(templates)) == 81


def test_item_08_a_name_loses_its_commas_and_its_plus_signs_become_spaces() -> None:
    prompt = fill_template("a photo of a {}.", "salt, pepper+mill")
    assert prompt == "a photo of a salt pepper mill."
    assert clean_name("tv+monitor,flat") == "tv monitorflat"


@pytest.mark.slow
def test_item_08_an_embedding_is_the_mean_over_prompts_as_they_are(clip: Clip) -> None:
    names = ["traffic light", "dog", "salt, pepper+mill"]
    embeddings = embed_names(clip, names, read_templates("paper"), "reference", 200)
    for name, embedding in zip(names, embeddings, strict=True):
        plain = name.replace(",", "").replace("+", " ")
        prompts = [t.replace("{}", plain) for t in read_templates("paper")]
        expected = end_features(clip, prompts).sum(dim=0) / 81
        torch.testing.assert_close(embedding.double(), expected, rtol=1e-5, atol=1e-6)
        assert abs(float(embedding.norm()) - 1) > 1e-3  # normalised only where it is used


@pytest.mark.slow
def test_item_08_normalising_each_prompt_first_is_an_option(clip: Clip) -> None:
    prompts = [t.replace("{}", "dog") for t in read_templates("paper")]
    features = end_features(clip, prompts)
    mean = (features / features.norm(dim=1, keepdim=True)).mean(dim=0)
    embeddings = embed_names(clip, ["dog"], read_templates("paper"), "openai", 100)
    torch.testing.assert_close(embeddings[0].double(), mean / mean.norm(), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_item_08_an_over_long_prompt_is_cut_and_loses_its_end_token(clip: Clip) -> None:
    words = "rather " * 100
    ids = clip.tokenize([words, words + "long"], "cut")
    assert ids.shape == (2, 77)
    assert END not in ids
    text = ENCODE(words)
    assert ids[0].tolist() == [START, *text][:77]
    kept = clip.tokenize([words], "keep-end")
    assert kept[0].tolist() == [*[START, *text][:76], END]


def test_item_08_the_default_of_an_over_long_prompt_is_the_published_one() -> None:
    assert EmbedConcepts().long_prompts == "cut"
    assert Train().long_captions == "cut"
    assert Pretrain().long_captions == "keep-end"  # a stage the reference has not: CLIP's own way


def test_item_09_rows_come_in_order_of_their_id_and_carry_their_name(
    tmp_path: Path, clip: Clip
) -> None:
    files = {name: tmp_path / name for name in ("model.json", "weights.safetensors")}
    save_clip(clip, *files.values())
    names = ["zebra", "apple", "mug"]
    columns = {
        "concept_id": [0, 1, 2],
        "concept": names,
        **{key: [1, 1, 1] for key in ("mentions", "captions", "images")},
        "examples": [[], [], []],
        "names": [[name] for name in names],
    }
    rows = CONCEPTS.batch(columns)
    shuffled = pa.Table.from_batches([rows]).take([2, 0, 1])
    part = InMemory(
        {"concepts": shuffled}, tmp_path, files={("teacher", k): v for k, v in files.items()}
    )
    (rows,) = EmbedConcepts(templates="plain", device="cpu").run(part)
    assert rows.column("concept_id").to_pylist() == [0, 1, 2]
    assert rows.column("concept").to_pylist() == names
    table = pa.Table.from_batches([rows])
    for name, row in zip(names, as_matrix(table, "embedding"), strict=True):
        expected = end_features(clip, [f"a photo of a {name}."])[0]
        torch.testing.assert_close(
            torch.from_numpy(row.copy()).double(), expected, rtol=1e-2, atol=1e-3
        )
