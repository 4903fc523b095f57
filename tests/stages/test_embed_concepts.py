from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from schemas.concepts import CONCEPTS
from schemas.errors import ArtifactError, OptionError, SourceError
from schemas.table import as_matrix
from stages.embed_concepts import EmbedConcepts
from stages.models.clip import load_clip
from stages.models.similarity import Similarity
from stages.outcome import Result
from tests.in_memory import InMemory
from tests.stages.models.texts import encode_texts
from tests.stages.models.tiny import tiny_files

POOL = ["dog", "traffic light", "cat"]


def concepts(names: list[str]) -> pa.Table:
    counts = [1] * len(names)
    rows = {"concept_id": range(len(names)), "concept": names, "examples": [[]] * len(names)}
    rows |= dict.fromkeys(("mentions", "captions", "images"), counts)
    rows["names"] = [[name] for name in names]
    return pa.Table.from_batches([CONCEPTS.batch(rows)])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return tiny_files(tmp_path_factory.mktemp("teacher"))


def part_of(names: list[str], files) -> InMemory:
    folder = next(iter(files.values())).parent
    return InMemory({"concepts": concepts(names)}, folder, files=files)


@pytest.mark.slow
def test_every_concept_has_the_mean_over_its_prompts(files) -> None:
    part = part_of(POOL, files)
    (batch,) = EmbedConcepts(device="cpu").run(part)
    EmbedConcepts.writes.check(batch)
    assert batch.column("concept").to_pylist() == POOL
    assert batch.column("prompts").to_pylist() == [81] * 3
    clip = load_clip(*files.values(), "cpu")
    expected = encode_texts(clip, [t.replace("{}", "cat") for t in part.notes["templates"]])
    np.testing.assert_allclose(
        as_matrix(batch, "embedding")[2], expected.mean(dim=0).numpy(), rtol=1e-4, atol=1e-6
    )
    assert part.advanced == 3


def test_a_concept_of_several_names_has_the_mean_over_the_prompts_of_all(files) -> None:
    part = part_of(POOL, files)
    rows = part.tables["concepts"].to_pylist()
    rows[0]["names"] = ["dog", "hound", "puppy"]
    part.tables["concepts"] = pa.Table.from_pylist(rows, schema=CONCEPTS.arrow)
    (batch,) = EmbedConcepts(device="cpu").run(part)
    assert batch.column("prompts").to_pylist() == [243, 81, 81]
    clip = load_clip(*files.values(), "cpu")
    templates = part.notes["templates"]
    prompts = [t.replace("{}", name) for name in rows[0]["names"] for t in templates]
    expected = encode_texts(clip, prompts).mean(dim=0).detach().numpy()
    np.testing.assert_allclose(as_matrix(batch, "embedding")[0], expected, rtol=1e-4, atol=1e-6)
    (plain,) = EmbedConcepts(device="cpu").run(part_of(POOL, files))
    np.testing.assert_allclose(
        as_matrix(batch, "embedding")[1:], as_matrix(plain, "embedding")[1:], rtol=1e-4, atol=1e-6
    )
    said = EmbedConcepts().outcome(Result(3, {}, part.notes))
    assert said.summary == ["3 concepts embedded, 81 prompts each of their 5 names"]


def test_openai_averaging_gives_unit_rows(files) -> None:
    (batch,) = EmbedConcepts(device="cpu", templates="plain", averaging="openai").run(
        part_of(POOL, files)
    )
    np.testing.assert_allclose(np.linalg.norm(as_matrix(batch, "embedding"), axis=1), 1, rtol=1e-5)


def test_a_pool_of_one_keeps_its_two_dimensions(files) -> None:
    (batch,) = EmbedConcepts(device="cpu", templates="plain").run(part_of(["dog"], files))
    assert as_matrix(batch, "embedding").shape == (1, 32)


def test_rows_do_not_depend_on_the_batch_size(files) -> None:
    runs = [
        next(iter(EmbedConcepts(device="cpu", batch=size).run(part_of(POOL, files))))
        for size in (1, 10_000)
    ]
    np.testing.assert_allclose(*(as_matrix(run, "embedding") for run in runs), atol=1e-6)


def test_a_large_pool_comes_in_blocks_in_the_order_of_its_ids(tmp_path, files) -> None:
    names = [f"thing {number}" for number in range(300)]
    shuffled = concepts(names).take(pa.array(np.random.default_rng(0).permutation(300)))
    part = InMemory({"concepts": shuffled}, tmp_path, files=files)
    blocks = list(EmbedConcepts(device="cpu", templates="plain").run(part))
    assert [block.num_rows for block in blocks] == [256, 44]
    assert [name for block in blocks for name in block.column("concept").to_pylist()] == names


def test_the_teachers_temperature_is_written_beside_the_rows(files) -> None:
    part = part_of(["dog"], files)
    assert len(list(EmbedConcepts(device="cpu", templates="plain").run(part))) == 1
    similarity = Similarity.read(part.folder / "similarity.json")
    assert (similarity.temperature, similarity.logit_bias) == (0.07, None)
    assert part.notes["similarity"] == {
        "logit_scale": pytest.approx(-math.log(0.07)),
        "logit_bias": None,
    }


def test_an_empty_pool_is_refused(files) -> None:
    with pytest.raises(ArtifactError, match="the concept pool is empty; lower --min-frequency"):
        next(iter(EmbedConcepts(device="cpu").run(part_of([], files))))


def test_a_missing_teacher_is_refused(tmp_path, files) -> None:
    gone = dict.fromkeys(files, tmp_path / "gone")
    with pytest.raises(SourceError, match="gone is missing"):
        next(iter(EmbedConcepts(device="cpu").run(part_of(POOL, gone))))


def test_templates_are_compared_by_their_lines_not_by_their_name(tmp_path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("a photo of a {}.\n")
    digests = [EmbedConcepts(templates=str(tmp_path / n)).digests() for n in ("a.txt", "b.txt")]
    assert digests[0] == digests[1] == EmbedConcepts(templates="plain").digests()
    assert digests[0] != EmbedConcepts().digests()
    assert "templates" not in EmbedConcepts().recipe()


def test_an_unknown_averaging_is_refused() -> None:
    with pytest.raises(OptionError, match="rc embed-concepts: --averaging must be one of"):
        EmbedConcepts(averaging="median")


def test_the_outcome_counts_concepts_and_prompts() -> None:
    outcome = EmbedConcepts().outcome(Result(2, {}, {"templates": ["a {}", "the {}"]}))
    assert outcome.summary == ["2 concepts embedded, 2 prompts each"]
    assert outcome.empty is None


def test_names_in_other_letters_than_latin_are_told_for_clips_tokenizer(files) -> None:
    part = part_of(["dog", "Straßenbahn", "犬", "狗\x1b", "café 2"], files)
    list(EmbedConcepts(device="cpu", templates="plain").run(part))
    assert part.notes["in_bytes"] == [2, "犬"]
    (_, line) = EmbedConcepts().outcome(Result(5, {}, part.notes)).summary
    assert line.startswith("2 concepts in other letters than Latin, such as '犬': CLIP's tokenizer")
    part = part_of(["dog", "Straßenbahn"], files)
    list(EmbedConcepts(device="cpu", templates="plain").run(part))
    assert "in_bytes" not in part.notes
