from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

import stages.extract_concepts
from pipeline.execution.notes import add_up
from schemas.concepts import CONCEPTS
from schemas.errors import OptionError, SourceError
from schemas.images import IMAGES
from schemas.mentions import MENTIONS
from stages.extract_concepts import ExtractConcepts
from stages.outcome import Outcome, Result
from stages.text.parsing.engines import load_parser
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from collections.abc import Sequence

rng = np.random.default_rng(7)
CORPUS = Path(__file__).parents[3] / "shared" / "data" / "captions" / "captions.tsv.gz"


def captioned(captions: dict[str, list[str]], number: int = 0) -> InMemory:
    """A part whose images have only the columns that this stage reads."""
    empty = dict.fromkeys(("split", "member", "offset", "content"))
    filled = {
        "source": "folder", "uri": "", "num_bytes": 0, "sha256": "", "format": "PNG", "width": 9,
        "height": 9, "orientation": 1, "objects": [], **empty,
    }  # fmt: skip
    rows = [{**filled, "image_id": key, "captions": texts} for key, texts in captions.items()]
    images = pa.Table.from_pylist(rows, schema=IMAGES.arrow)
    return InMemory({"images": images}, number=number)


def drafts(stage: ExtractConcepts, *parts: InMemory) -> list[pa.RecordBatch]:
    batches = [batch for part in parts for batch in stage.run(part)]
    for batch in batches:
        MENTIONS.check(batch)
    return batches


def fold(stage: ExtractConcepts, batches: Sequence[pa.RecordBatch]) -> list[dict[str, Any]]:
    (batch,) = stage.merge(batches, {}.__setitem__)
    CONCEPTS.check(batch)
    rows: list[dict[str, Any]] = batch.to_pylist()
    return rows


def extract(*parts: InMemory, **options: Any) -> list[dict[str, Any]]:
    stage = ExtractConcepts(**{"parser": "ngram:1", "min_frequency": 1, **options})
    return fold(stage, drafts(stage, *parts))


def names(rows: list[dict[str, Any]]) -> list[str]:
    assert [row["concept_id"] for row in rows] == list(range(len(rows)))
    return [row["concept"] for row in rows]


PETS = {"a": ["dog dog cat", "dog"], "b": ["the dog"], "c": []}


def test_mentions_captions_and_images_are_counted_separately() -> None:
    dog, cat = extract(captioned(PETS))
    assert dog["concept"] == "dog"
    assert (dog["mentions"], dog["captions"], dog["images"]) == (4, 3, 2)
    assert (cat["mentions"], cat["captions"], cat["images"]) == (1, 1, 1)
    assert dog["examples"] == ["dog dog cat", "dog", "the dog"]


def test_a_mention_records_the_number_of_its_caption() -> None:
    rows = pa.Table.from_batches(drafts(ExtractConcepts(parser="ngram:1"), captioned(PETS)))
    mentions = [tuple(row.values())[:4] for row in rows.to_pylist()]
    assert mentions == [
        ("a", 0, "cat", 1),
        ("a", 0, "dog", 2),
        ("a", 1, "dog", 1),
        ("b", 0, "dog", 1),
    ]


def test_counts_over_parts_equal_a_simple_count_of_all_captions() -> None:
    words = [f"w{n}" for n in range(30)]
    captions = {
        f"i{n:03}": [
            " ".join(rng.choice(words, rng.integers(0, 6))) for _ in range(rng.integers(0, 4))
        ]
        for n in range(200)
    }
    items = list(captions.items())
    parts = [captioned(dict(items[start : start + 70]), start // 70) for start in range(0, 200, 70)]
    mentions, in_captions, in_images = Counter[str](), Counter[str](), Counter[str]()
    for texts in captions.values():
        mentions.update(word for text in texts for word in text.split())
        in_captions.update(word for text in texts for word in set(text.split()))
        in_images.update({word for text in texts for word in text.split()})
    rows = extract(*parts, min_frequency=12)
    kept = sorted((w for w in words if mentions[w] >= 12), key=lambda w: (-mentions[w], w))
    assert names(rows) == kept
    for row in rows:
        word = row["concept"]
        assert (row["mentions"], row["captions"]) == (mentions[word], in_captions[word])
        assert row["images"] == in_images[word]
        assert all(word in text.split() for text in row["examples"])
    by_caption = extract(*parts, min_frequency=12, count_by="captions")
    assert names(by_caption) == sorted(
        (w for w in words if in_captions[w] >= 12), key=lambda w: (-in_captions[w], w)
    )


def test_concepts_with_equal_counts_are_in_alphabetical_order() -> None:
    assert names(extract(captioned({"a": ["cat bee ant"]}))) == ["ant", "bee", "cat"]


def test_max_concepts_keeps_the_most_frequent() -> None:
    assert names(extract(captioned(PETS), max_concepts=1)) == ["dog"]


def test_a_pool_can_have_one_concept() -> None:
    assert names(extract(captioned({"a": ["dog"]}))) == ["dog"]


def outcome(*parts: InMemory, **options: Any) -> Outcome:
    stage = ExtractConcepts(**{"parser": "ngram:1", "min_frequency": 1, **options})
    notes: dict[str, Any] = {}
    rows = sum(batch.num_rows for batch in stage.merge(drafts(stage, *parts), notes.__setitem__))
    for part in parts:
        notes = add_up(notes, {"counts": part.notes.pop("counts")}) | part.notes
    dropped = {"bad-caption": sum(len(part.refused) for part in parts)}
    return stage.outcome(Result(rows, dropped if dropped["bad-caption"] else {}, notes))


def test_the_outcome_counts_captions_mentions_and_concepts() -> None:
    parts = [captioned(PETS), captioned({"d": ["the", "a cat"]}, 1)]
    assert outcome(*parts, min_frequency=3) == Outcome(
        ["5 captions: 4 name something (6 mentions); 1 concept, 1 phrase left out "
         "(--min-frequency 3)"],
        losses=[],
    )  # fmt: skip


def test_an_empty_pool_says_why() -> None:
    rare = outcome(captioned(PETS), min_frequency=5).empty
    assert rare == (
        "none of 2 phrases in 3 captions was counted 5 times (mentions; the most frequent, 'dog', "
        "4): lower --min-frequency"
    )
    nameless = outcome(captioned({"a": [], "b": ["the and of"]})).empty
    assert nameless == "none of 1 caption names anything: look at the captions, or at --parser"
    assert "the images have no captions" in str(outcome(captioned({"a": []})).empty)


def test_most_captions_without_a_name_are_a_loss() -> None:
    captions = {"a": ["dog"], "b": ["the"], "c": ["of the"]}
    assert outcome(captioned(captions)).losses == [
        "2 of 3 captions name nothing; look at some of them"
    ]
    assert outcome(captioned({"a": ["dog"], "b": ["the"]})).losses == []


def test_a_list_of_which_nothing_is_mentioned_is_a_loss(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("unicorn\ndragon")
    options = {"parser": "lexicon", "from_file": tmp_path / "list.txt"}
    said = outcome(captioned({"a": ["a\x1b dog"]}), **options)
    assert said.empty is None
    assert said.losses == [
        "none of 2 names, such as 'unicorn', is in the 1 caption, such as 'a  dog'; look whether "
        "names and captions are in one language"
    ]
    found = outcome(captioned({"a": ["a dragon", "a dog"]}), **options)
    assert found.losses == []
    assert found.summary == ["2 captions: 1 name something (1 mention); 1 of 2 names mentioned"]


GERMAN = {
    "a": ["Ein Hund liegt auf dem Sofa im Wohnzimmer", "Zwei Kinder spielen auf einer Wiese"],
    "b": ["Eine Frau steht mit einem Fahrrad vor dem Bahnhof"],
}
CHINESE = {"a": ["一只狗躺在橙色的沙发上"], "b": ["街上有一辆红色的公共汽车和一只猫"]}


@pytest.mark.slow
def test_captions_in_german_are_a_loss_that_says_what_to_use() -> None:
    said = outcome(captioned(GERMAN), parser="bundled")
    loss = str(said.empty)
    assert loss.startswith("these captions look like German (4% of their words are known)")
    assert "the parser 'bundled' reads English" in loss
    assert "--from NAMES --parser lexicon" in loss
    mixed = {**GERMAN, "c": ["a man on a horse in the snow near a red barn and a tree"] * 4}
    said = outcome(captioned(mixed), parser="bundled")
    assert said.losses == []
    assert said.summary[1] == (
        "3 captions do not look like English (3 German); no concept is taken from 3"
    )


@pytest.mark.slow
def test_captions_in_chinese_name_nothing_that_english_knows() -> None:
    assert str(outcome(captioned(CHINESE), parser="bundled").empty).startswith(
        "these captions look like Chinese (0% of their words are known)"
    )


@pytest.mark.parametrize(
    ("captions", "listed", "expected"),
    [(GERMAN, "Hund\nFahrrad\nKatze", [1, 1, 0]), (CHINESE, "狗\n公共汽车\n马", [1, 1, 0])],
)
def test_a_list_and_the_lexicon_read_any_language(
    tmp_path: Path, captions: dict[str, list[str]], listed: str, expected: list[int]
) -> None:
    (tmp_path / "list.txt").write_text(listed, "utf-8")
    options = {"parser": "lexicon", "from_file": tmp_path / "list.txt"}
    assert [row["mentions"] for row in extract(captioned(captions), **options)] == expected
    assert outcome(captioned(captions), **options).losses == []


def test_a_part_stores_at_most_three_example_captions_of_a_concept() -> None:
    part = captioned({str(n): [f"dog {n}"] for n in range(9)})
    rows = pa.Table.from_batches(drafts(ExtractConcepts(parser="ngram:1"), part)).to_pylist()
    assert sum(row["text"] is not None for row in rows if row["concept"] == "dog") == 3


def test_a_very_long_example_caption_is_cut() -> None:
    (dog,) = extract(captioned({"a": ["dog " * 25_000]}), max_concepts=1)
    assert dog["concept"] == "dog"
    assert len(dog["examples"][0]) == 1000


@pytest.mark.slow
def test_a_list_keeps_its_order_and_its_unmentioned_names(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("unicorn\nSkis\nhot dog\n")
    captions = {"a": ["two dogs eat a hot dog"], "b": ["a man on skis", "skis and skis"]}
    rows = extract(captioned(captions), parser="bundled", from_file=tmp_path / "list.txt")
    assert names(rows) == ["unicorn", "Skis", "hot dog"]
    assert [row["mentions"] for row in rows] == [0, 3, 1]
    assert [row["images"] for row in rows] == [0, 1, 1]
    assert rows[0]["examples"] == []


def test_a_list_is_kept_for_images_without_captions(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("unicorn")
    assert names(extract(captioned({"a": []}), from_file=tmp_path / "list.txt")) == ["unicorn"]


def test_the_lexicon_engine_finds_the_names_of_the_list(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("traffic light\nlight\n")
    captions = {"a": ["traffic lights and a light"]}
    rows = extract(captioned(captions), parser="lexicon", from_file=tmp_path / "list.txt")
    assert [row["mentions"] for row in rows] == [1, 1]


def test_a_given_pool_keeps_its_ids_in_every_part() -> None:
    pool = extract(captioned({"x": ["eel cat cat dog dog dog"]}))
    parts = [captioned({"a": ["dog eel ant"]}), captioned({"b": ["eel"]}, 1)]
    for part in parts:
        part.tables["pool"] = pa.Table.from_pylist(pool, schema=CONCEPTS.arrow)
    rows = extract(*parts, min_frequency=100)
    assert names(rows) == ["dog", "cat", "eel"]
    assert [row["mentions"] for row in rows] == [1, 0, 2]


WEATHER = {"a": ["umbrella parasol", "parasol"], "b": ["umbrella"], "c": ["parasol dog", "brolly"]}


def groups(folder: Path, text: str, name: str = "groups.toml") -> Path:
    (folder / name).write_text(f"[groups]\n{text}\n")
    return folder / name


def test_mentions_of_merged_names_are_mentions_of_the_head(tmp_path: Path) -> None:
    file = groups(tmp_path, 'umbrella = ["parasol", "brolly", "gamp"]')
    umbrella, dog = extract(captioned(WEATHER), merge_file=file)
    assert umbrella["names"] == ["umbrella", "brolly", "parasol"]
    assert (umbrella["mentions"], umbrella["captions"], umbrella["images"]) == (6, 5, 3)
    assert (dog["concept"], dog["names"], dog["mentions"]) == ("dog", ["dog"], 1)


def test_merged_counts_equal_those_of_captions_with_the_heads_written_in(tmp_path: Path) -> None:
    words = [f"w{n}" for n in range(12)]
    members = {"w0": ["w1", "w2", "w9"], "w5": ["w3"]}
    head = {name: first for first, names in members.items() for name in names}
    captions = {
        f"i{n}": [
            " ".join(rng.choice(words, rng.integers(0, 6))) for _ in range(rng.integers(0, 4))
        ]
        for n in range(60)
    }
    file = groups(tmp_path, "\n".join(f"{first} = {names}" for first, names in members.items()))
    merged = extract(captioned(captions), min_frequency=15, merge_file=file)
    written = {
        key: [" ".join(head.get(word, word) for word in text.split()) for text in texts]
        for key, texts in captions.items()
    }
    expected = extract(captioned(written), min_frequency=15)
    for row, other in zip(merged, expected, strict=True):
        assert {**row, "names": 0, "examples": 0} == {**other, "names": 0, "examples": 0}
        assert row["names"] == [row["concept"], *sorted(members.get(row["concept"], []))]


def test_the_frequency_that_counts_is_that_of_the_group(tmp_path: Path) -> None:
    file = groups(tmp_path, 'umbrella = ["parasol"]')
    assert names(extract(captioned(WEATHER), min_frequency=4, merge_file=file)) == ["umbrella"]
    assert outcome(captioned(WEATHER), min_frequency=4, merge_file=file).summary == [
        "5 captions: 5 name something (7 mentions); 1 concept, 2 phrases left out "
        "(--min-frequency 4)",
        "1 name merged into 1 concept",
    ]


def test_names_that_no_caption_has_are_counted(tmp_path: Path) -> None:
    file = groups(tmp_path, 'umbrella = ["parasol", "gamp"]\nship = ["boat"]')
    assert outcome(captioned(WEATHER), merge_file=file).summary[1] == (
        "1 name merged into 1 concept; 2 more are in no caption, such as 'boat'"
    )


def test_without_groups_rows_are_what_they_were(tmp_path: Path) -> None:
    stage, none = ExtractConcepts(parser="ngram:1"), groups(tmp_path, "")
    plain = pa.Table.from_batches(drafts(stage, captioned(WEATHER)))
    assert plain.column("names").null_count == plain.num_rows
    merging = ExtractConcepts(parser="ngram:1", merge_file=none)
    assert pa.Table.from_batches(drafts(merging, captioned(WEATHER))).equals(plain)
    rows = extract(captioned(WEATHER))
    assert [row["names"] for row in rows] == [[row["concept"]] for row in rows]
    assert "merge" not in stage.digests()


def test_the_recipe_has_the_groups_and_not_the_name_of_their_file(tmp_path: Path) -> None:
    same = [groups(tmp_path, f"# {n}\na = ['b']", name=f"{n}.toml") for n in "xy"]
    other = groups(tmp_path, "a = ['c']")
    digests = [ExtractConcepts(merge_file=file).digests()["merge"] for file in (*same, other)]
    assert digests[0] == digests[1] != digests[2]
    assert "merge_file" not in ExtractConcepts(merge_file=other).recipe()


def test_listed_names_are_merged_and_others_are_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("parasol\ndog\numbrella\n")
    file = groups(tmp_path, 'umbrella = ["parasol", "brolly"]\npet = ["dog"]')
    options = {"parser": "lexicon", "from_file": tmp_path / "list.txt", "merge_file": file}
    captions = {"a": ["a parasol, an umbrella"], "b": ["a brolly"], "c": ["a pet", "two dogs"]}
    rows = extract(captioned(captions), **options)
    assert [(row["concept"], row["names"], row["mentions"]) for row in rows] == [
        ("pet", ["pet", "dog"], 2),
        ("umbrella", ["umbrella", "parasol"], 2),
    ]
    assert outcome(captioned(captions), **options).summary == [
        "4 captions: 3 name something (4 mentions); 2 of 2 names mentioned",
        "2 names merged into 2 concepts; 1 more is not in the list, such as 'brolly'",
    ]


def test_a_pool_hands_on_the_names_that_it_has_merged(tmp_path: Path) -> None:
    file = groups(tmp_path, 'umbrella = ["parasol"]')
    pool = pa.Table.from_pylist(extract(captioned(WEATHER), merge_file=file), schema=CONCEPTS.arrow)
    for merge_file, expected in ((None, 3), (groups(tmp_path, 'umbrella = ["brolly"]', "b"), 4)):
        part = captioned({"z": ["parasol umbrella", "parasol brolly"]})
        part.tables["pool"] = pool
        rows = {row["concept"]: row for row in extract(part, merge_file=merge_file)}
        assert rows["umbrella"]["mentions"] == expected
        assert rows["umbrella"]["names"][-1] == "parasol"
    part.tables["pool"] = pool
    with pytest.raises(SourceError, match="'parasol', which the pool has as another name of 'umb"):
        extract(part, merge_file=groups(tmp_path, 'dog = ["parasol"]'))


def test_a_list_together_with_a_pool_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("dog")
    part = captioned(PETS)
    part.tables["pool"] = CONCEPTS.arrow.empty_table()
    with pytest.raises(OptionError, match="--from or --pool, not both"):
        extract(part, from_file=tmp_path / "list.txt")


def corpus_parts(stage: ExtractConcepts) -> list[InMemory]:
    return [InMemory({}, number=number) for number in stage.plan({})]


def test_the_parts_of_a_caption_file_together_hold_all_its_captions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captions = {f"k{n}": ["dog"] * (n % 3 + 1) for n in range(10)}
    lines = [f"{key}\t{text}\n" for key, texts in captions.items() for text in texts]
    (tmp_path / "c.tsv").write_text("key\tcaption\n" + "".join(lines))
    monkeypatch.setattr(stages.extract_concepts, "_PART_RECORDS", 4)
    stage = ExtractConcepts(parser="ngram:1", min_frequency=1, captions=tmp_path / "c.tsv")
    parts = corpus_parts(stage)
    assert len(parts) == 3
    assert stage.total() == 10
    assert "images" not in stage.requires()
    assert fold(stage, drafts(stage, *parts)) == extract(captioned(captions))
    assert [part.advanced for part in parts] == [4, 4, 2]
    limited = ExtractConcepts(parser="ngram:1", captions=tmp_path / "c.tsv", limit=5)
    assert [part.advanced for part in corpus_parts(limited)] == [0, 0]
    assert (
        sum(len(set(b["image_id"].to_pylist())) for b in drafts(limited, *corpus_parts(limited)))
        == 5
    )


def test_bad_rows_of_a_caption_file_go_to_quarantine(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"caption": "dog"}\n{\n')
    stage = ExtractConcepts(parser="ngram:1", min_frequency=1, captions=tmp_path / "c.jsonl")
    (part,) = corpus_parts(stage)
    assert names(fold(stage, drafts(stage, part))) == ["dog"]
    assert [record[:2] for record in part.refused] == [("c.jsonl:2", "bad-row")]
    (line,) = outcome(*corpus_parts(stage), captions=tmp_path / "c.jsonl").summary
    assert "; 1 row refused;" in line


def test_rows_without_a_caption_are_counted_and_not_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    rows = ['{"caption": "dog"}', '{"caption": null}', '{"caption": ""}', '{"caption": NaN}']
    path.write_text("\n".join(rows))
    stage = ExtractConcepts(parser="ngram:1", min_frequency=1, captions=path)
    (part,) = corpus_parts(stage)
    said = outcome(part, captions=path)
    assert part.refused == []
    assert said.losses == []
    assert said.summary[0].startswith("1 caption: 1 name something (1 mention); 3 rows without a ")
    path.write_text("\n".join(rows[1:]))
    assert outcome(*corpus_parts(stage), captions=path).empty == (
        "there are no captions in c.jsonl: 3 rows without a caption"
    )


def test_a_file_of_nothing_but_bad_rows_says_what_is_wrong_with_the_first(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"caption": 7}\n{"caption": 8}\n')
    stage = ExtractConcepts(parser="ngram:1", captions=tmp_path / "c.jsonl")
    assert outcome(*corpus_parts(stage), captions=tmp_path / "c.jsonl").empty == (
        "there are no captions in c.jsonl: 2 rows refused (a caption must be text, not int)"
    )


def test_what_was_chosen_in_a_caption_file_is_said_once(tmp_path: Path) -> None:
    path = tmp_path / "c.tsv"
    path.write_text("key\ttitle\tcaption\n1\tx\ta dog\n2\tx\ta cat\n1\tx\tdogs\n")
    stage = ExtractConcepts(parser="ngram:1", min_frequency=1, captions=path)
    _, *remarks = outcome(*corpus_parts(stage), captions=path).summary
    assert remarks == [
        "captions of c.tsv are read from 'caption', not from 'title'; --caption-column decides",
        "records whose key an earlier one has, counted as other images: 1; "
        "sort the file by its key",
    ]


def test_an_empty_caption_file_has_no_concepts(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("")
    stage = ExtractConcepts(parser="ngram:1", captions=tmp_path / "c.txt")
    assert outcome(*corpus_parts(stage), parser="ngram:1", captions=tmp_path / "c.txt").empty == (
        "there are no captions in c.txt: it has no rows"
    )


def test_digests_depend_on_parser_list_and_captions(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("dog\n")
    first = ExtractConcepts(from_file=tmp_path / "a.txt", captions=tmp_path / "a.txt")
    second = ExtractConcepts(from_file=tmp_path / "b.txt", captions=tmp_path / "b.txt")
    assert first.digests() == second.digests()
    assert first.recipe() == second.recipe()
    (tmp_path / "b.txt").write_text("cat\n")
    changed = [key for key, digest in first.digests().items() if second.digests()[key] != digest]
    assert changed == ["from", "captions"]
    assert ExtractConcepts(style="paper").digests() != ExtractConcepts().digests()
    assert (
        ExtractConcepts(parser="ngram:2").digests() != ExtractConcepts(parser="ngram:3").digests()
    )


@pytest.mark.slow
def test_the_bundled_parser_finds_visible_objects() -> None:
    captions = {"a": ["A group of people near a traffic light", "two tennis rackets and a dog"]}
    rows = extract(captioned(captions), parser="bundled")
    assert sorted(names(rows)) == ["dog", "people", "tennis racket", "traffic light"]


@pytest.mark.slow
@pytest.mark.skipif(not CORPUS.exists(), reason="the real captions are not beside the project")
def test_real_captions_are_read_from_a_gzipped_file_without_header() -> None:
    stage = ExtractConcepts(captions=CORPUS, limit=400, min_frequency=10)
    (part,) = corpus_parts(stage)
    rows = fold(stage, drafts(stage, part))
    assert {"man", "woman", "dog"} <= set(names(rows))
    parser = load_parser()
    for row in rows:
        assert len(row["examples"]) == 3
        assert all(row["concept"] in concepts for concepts in parser.concepts(row["examples"]))
