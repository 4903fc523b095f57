"""`rc search` and `rc duplicates`."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from pipeline.cli import progress_bar
from pipeline.searching import (
    DuplicateCriteria,
    FeatureCorpus,
    find_duplicates,
    nearest_regions,
    query_vectors,
)
from tests.pipeline.searching.photographs import Photographs, photographs
from tests.pipeline.searching.planted import plant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.pipeline.cli.conftest import CommandResult

    Rc = Callable[..., CommandResult]

pytestmark = pytest.mark.slow

QUICK = ("--templates", "plain", "--device", "cpu")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    return photographs(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def seen(photos: Photographs) -> FeatureCorpus:
    return FeatureCorpus.find(photos.root)


@pytest.fixture
def ask(photos: Photographs, rc: Rc) -> Rc:
    """Run a verb on the store of photographs."""

    def run(verb: str, *words: object) -> CommandResult:
        return rc(verb, "--store", photos.root, *words)

    return run


def told(answer: CommandResult) -> list[dict[str, Any]]:
    """Rows of an answer in JSON."""
    assert (answer.code, answer.err) == (0, "")
    return [json.loads(line) for line in answer.out.splitlines()]


def names(rows: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(row["image_id"], row["region"]) for row in rows]


def refused(answer: CommandResult) -> str:
    """The one sentence of an answer that was refused."""
    assert answer.code == 1
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    return answer.err


def test_a_text_finds_what_python_finds(ask: Rc, seen: FeatureCorpus) -> None:
    rows = told(ask("search", "a red umbrella", "--k", 4, "--format", "json", *QUICK))
    vector = query_vectors.text_query(seen, "a red umbrella", "plain", device="cpu").vector
    assert rows == nearest_regions(seen, vector, 4).to_pylist()
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]


def test_hits_are_a_table_unless_another_format_is_asked_for(ask: Rc) -> None:
    answer = ask("search", "cup", "--k", 3, *QUICK)
    lines = answer.out.splitlines()
    assert (answer.code, answer.err, len(lines)) == (0, "", 5)
    assert lines[0].split("┃")[0].strip() == "rank"
    assert [line.split("│")[0].strip() for line in lines[2:]] == ["1", "2", "3"]
    assert all("photos/" in line for line in lines[2:])


def test_hits_as_csv_are_those_of_json(ask: Rc) -> None:
    words = ("search", "--region", "photos/odd:name.png:-1", "--k", 9)
    rows = told(ask(*words, "--format", "json"))
    answer = ask(*words, "--format", "csv")
    read = list(csv.DictReader(io.StringIO(answer.out)))
    assert list(read[0]) == list(rows[0])
    assert [(row["image_id"], int(row["region"])) for row in read] == names(rows)
    assert [float(row["score"]) for row in read] == [row["score"] for row in rows]
    assert {row["concept"] for row in read} == {row["concept"] or "" for row in rows}


def test_ten_hits_are_found_unless_told_otherwise(ask: Rc) -> None:
    assert len(told(ask("search", "cup", "--format", "json", *QUICK))) == 10


def test_a_region_asks_and_is_no_hit(ask: Rc) -> None:
    rows = told(ask("search", "--region", "photos/plain.png:-1", "--k", 99, "--format", "json"))
    assert names(rows)[0] == ("photos/twin.png", -1)
    assert rows[0]["score"] == pytest.approx(1, abs=1e-6)
    assert ("photos/plain.png", -1) not in names(rows)
    assert len(rows) == 34


def test_a_photograph_asks_and_so_does_a_part_of_it(ask: Rc, photos: Photographs) -> None:
    words = ("search", "--image", photos.folder / "turned.jpg", "--k", 1, "--format", "json")
    assert names(told(ask(*words))) == [("photos/turned.jpg", -1)]
    (known,) = told(ask(*words, "--where", "region = 3"))
    box = ",".join(str(known[name]) for name in ("x0", "y0", "x1", "y1"))
    (hit,) = told(ask(*words, "--box", box))
    assert names([hit]) == [("photos/turned.jpg", 3)]
    assert hit["score"] == pytest.approx(1, abs=1e-5)


def test_a_predicate_narrows_what_is_found(ask: Rc) -> None:
    where = "image_id LIKE '%bare%' AND x1 - x0 > 10 AND region > 2"
    rows = told(ask("search", "cup", "--where", where, "--format", "json", *QUICK))
    assert sorted(names(rows)) == [("photos/bare.png", region) for region in (3, 4, 5)]


def test_nothing_found_is_one_sentence(ask: Rc) -> None:
    answer = refused(ask("search", "cup", "--where", "false", "--format", "json", *QUICK))
    assert "has no region for which false holds" in answer


def test_other_features_are_searched_by_name(ask: Rc, photos: Photographs) -> None:
    words = ("search", "cup", "--k", 2, "--format", "json", *QUICK)
    small = told(ask(*words, "--features", photos.small.address))
    corpus = FeatureCorpus.find(photos.root, photos.small.address)
    vector = query_vectors.text_query(corpus, "cup", "plain", device="cpu").vector
    assert small == nearest_regions(corpus, vector, 2).to_pylist() != told(ask(*words))


def test_a_sheet_of_the_hits_is_written_too(ask: Rc, tmp_path: Path) -> None:
    sheet = tmp_path / "new" / "hits.png"
    rows = told(ask("search", "cup", "--k", 3, "--sheet", sheet, "--format", "json", *QUICK))
    assert len(rows) == 3
    with Image.open(sheet) as written:
        assert (written.format, written.width) == ("PNG", 3 * 192 + 12)


def test_a_check_says_how_good_the_index_is(ask: Rc, seen: FeatureCorpus) -> None:
    answer = ask("search", "--check", "--sample", 7, "--k", 5)
    lines = answer.out.splitlines()
    assert (answer.code, answer.err, len(lines)) == (0, "", 4)
    assert lines[0] == f"{seen.features.address}  35 rows, exact (flat)"
    assert lines[1] == "recall@5  1.0000 over 7 stored vectors"
    assert lines[2].startswith("index ")
    assert lines[3].startswith("exact ")
    assert all(" ms a query, " in line for line in lines[2:])


QUESTIONS: list[tuple[tuple[object, ...], str]] = [
    ((), "got none"),
    (("",), "got none"),
    (("cup", "--region", "a:1"), "got TEXT and --region"),
    (("cup", "--image", "a.png"), "got TEXT and --image"),
    (("--image", "a.png", "--region", "a:1"), "got --image and --region"),
    (("cup", "--image", "a.png", "--region", "a:1"), "got TEXT and --image and --region"),
    (("cup", "--check"), "or --check alone; got TEXT"),
]


@pytest.mark.parametrize(("words", "sentence"), QUESTIONS)
def test_there_is_exactly_one_question(ask: Rc, words: tuple[object, ...], sentence: str) -> None:
    answer = ask("search", *words)
    assert "rc search takes one of TEXT, --image and --region" in refused(answer)
    assert answer.err.rstrip().endswith(sentence)
    assert answer.out == ""


WRONG: list[tuple[tuple[object, ...], str]] = [
    (("search", "cup", "--box", "1,2,3,4"), "--box is a part of --image; give the photograph too"),
    (("search", "--check", "--box", "1,2,3,4"), "--box is a part of --image"),
    (("search", "--image", "a.png", "--box", "1,2,3"), "--box takes x0,y0,x1,y1 in pixels, such"),
    (("search", "--image", "a.png", "--box", "1,2,3,wide"), "got '1,2,3,wide'"),
    (("search", "--image", "a.png", "--box", ""), "--box takes x0,y0,x1,y1"),
    (("search", "--image", "nosuch.png"), "nosuch.png cannot be read"),
    (("search", "--image", "pyproject.toml"), "pyproject.toml is not a photograph to search with"),
    (("search", "--region", "photos/plain.png"), "--region takes IMAGE:REGION"),
    (("search", "--region", "photos/plain.png:77"), "has no region 77; its last is 5"),
    (("search", "--region", "nobody:0"), "nobody is not among them"),
    (("search", "--region", "photos/bare.png:0", "--k", "0"), "--k must be at least 1, got 0"),
    (("search", "--region", "photos/bare.png:0", "--where", "x0 >"), "takes one SQL predicate"),
    (("search", "--region", "photos/bare.png:0", "--where", "nosuch"), "nosuch"),
    (("search", "--region", "photos/bare.png:0", "--format", "xml"), "--format must be one of"),
    (("search", "--region", "photos/bare.png:0", "--features", "images@00"), "is no features"),
    (("search", "--region", "photos/bare.png:0", "--features", "features@b0b0"), "no artifact"),
    (("search", "--region", "photos/bare.png:0", "--pseudo-labels", "sure"), "no artifact matches"),
    (("search", "--region", "photos/bare.png:0", "--sheet", "hits.jpg"), "written to a .png file"),
    (("search", " "), "the text is empty; write what to look for"),
    (("search", "cup", "--templates", "nosuch"), "no prompt templates in nosuch"),
    (("search", "cup", "--device", "toaster"), "--device must be auto, cpu, cuda or cuda:N"),
    (("search", "--check", "--sample", "0"), "--sample and --k must be at least 1, got 0 and 10"),
    (("duplicates", "--min-cosine", "1.5"), "--min-cosine is in [-1, 1], got 1.5"),
    (("duplicates", "--min-cosine", "nan"), "--min-cosine is in [-1, 1], got nan"),
    (("duplicates", "--where", "true; DROP VIEW images"), "takes one SQL predicate"),
    (("duplicates", "--sheet", "groups"), "written to a .png file, got 'groups'"),
    (("duplicates", "--format", "xml"), "--format must be one of table, csv, json"),
    (("duplicates", "--features", "pseudo_labels@00"), "is no features"),
    (("duplicates", "--store", "nosuch"), "nothing is in /"),
]


@pytest.mark.parametrize(("words", "sentence"), WRONG)
def test_what_is_wrong_is_one_sentence(ask: Rc, words: tuple[object, ...], sentence: str) -> None:
    answer = ask(*words, *(["--quiet"] if words[0] == "duplicates" else []))
    assert sentence in refused(answer)
    assert answer.out == ""


def test_an_unknown_averaging_is_refused_with_the_choices(ask: Rc) -> None:
    answer = ask("search", "cup", "--averaging", "mean")
    assert answer.code == 2
    assert "'mean' is not one of 'reference', 'openai'" in answer.err


def test_a_box_outside_the_photograph_is_one_sentence(ask: Rc, photos: Photographs) -> None:
    words = ("search", "--image", photos.folder / "turned.jpg", "--box", "0,0,256,320")
    assert "is not a box inside" in refused(ask(*words))


@pytest.mark.parametrize("verb", ["search", "duplicates"])
def test_a_sheet_that_cannot_be_written_is_one_sentence(ask: Rc, tmp_path: Path, verb: str) -> None:
    (tmp_path / "file").write_text("")
    words = ("--region", "photos/bare.png:0") if verb == "search" else ("--quiet",)
    sheet = tmp_path / "file" / "sheet.png"
    assert str(sheet) in refused(ask(verb, *words, "--sheet", sheet))


def test_a_sheet_of_nothing_is_one_sentence(ask: Rc, tmp_path: Path) -> None:
    sheet = ("--sheet", tmp_path / "sheet.png", "--where", "false")
    assert "has no region for which false holds" in refused(ask("search", "cup", *sheet, *QUICK))
    assert "there are no duplicates" in refused(ask("duplicates", "--quiet", *sheet))
    assert not list(tmp_path.glob("*.png"))


def test_a_photograph_and_its_copy_are_duplicates(ask: Rc) -> None:
    rows = told(ask("duplicates", "--quiet", "--min-cosine", 0.999, "--format", "json"))
    assert names(rows) == [("photos/plain.png", -1), ("photos/twin.png", -1)]
    assert [(row["group"], row["size"]) for row in rows] == [(1, 2), (1, 2)]
    assert [row["x1"] for row in rows] == [320, 320]


def test_duplicates_are_those_that_python_finds(ask: Rc, seen: FeatureCorpus) -> None:
    words = ("--regions", "--same-image", "--min-cosine", 0.8, "--where", "region < 4")
    found = told(ask("duplicates", "--quiet", *words, "--format", "json"))
    alike = DuplicateCriteria(min_cosine=0.8, regions=True, same_image=True, where="region < 4")
    assert found == find_duplicates(seen, alike).to_pylist()
    assert found


def test_regions_of_one_image_are_duplicates_only_with_same_image(root: Path, rc: Rc) -> None:
    plant(root, np.eye(3)[[0, 0, 1]], regions=3)
    words = ("duplicates", "--quiet", "--regions", "--format", "json")
    assert told(rc(*words)) == []
    assert names(told(rc(*words, "--same-image"))) == [("0/0", 0), ("0/0", 1)]


def test_only_what_is_near_enough_is_a_duplicate(root: Path, rc: Rc) -> None:
    plant(root, [[1, 0], [4, 3], [3, 4]], lowest=-1)  # cosines 0.8, 0.96 and 0.6
    words = ("duplicates", "--quiet", "--format", "json")
    found = [
        told(rc(*words, *more)) for more in ((), ("--min-cosine", 0.97), ("--min-cosine", 0.7))
    ]
    assert [[row["image_id"] for row in rows] for rows in found] == [
        ["0/1", "0/2"],
        [],
        ["0/0", "0/1", "0/2"],
    ]


def test_duplicates_as_table_and_csv_have_a_row_each(ask: Rc) -> None:
    words = ("duplicates", "--quiet", "--min-cosine", 0.999)
    table = ask(*words).out.splitlines()
    assert table[0].split("┃")[0].strip() == "group"
    assert [line.split("│")[0].strip() for line in table[2:]] == ["1", "1"]
    read = list(csv.DictReader(io.StringIO(ask(*words, "--format", "csv").out)))
    assert [row["image_id"] for row in read] == ["photos/plain.png", "photos/twin.png"]


def test_without_whole_images_the_sentence_names_the_cure(root: Path, rc: Rc) -> None:
    plant(root, np.eye(3))
    said = refused(rc("duplicates", "--quiet"))
    assert "has no whole images (region -1)" in said
    assert "compare regions, with --regions" in said


def test_a_sheet_of_the_groups_is_written_too(ask: Rc, tmp_path: Path) -> None:
    sheet = tmp_path / "groups.png"
    answer = ask("duplicates", "--quiet", "--min-cosine", 0.999, "--sheet", sheet)
    assert (answer.code, answer.err) == (0, "")
    with Image.open(sheet) as written:
        assert (written.format, written.width) == ("PNG", 2 * 192 + 12)


def test_progress_goes_beside_the_answer_and_can_be_silenced(
    ask: Rc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_bar, "_INTERVAL_S", -1)
    words = ("duplicates", "--min-cosine", 0.999, "--format", "json")
    loud, quiet = ask(*words), ask(*words, "--quiet")
    assert loud.err.startswith("duplicates: 12 of 12 pairs")
    assert (quiet.out, quiet.err) == (loud.out, "")
