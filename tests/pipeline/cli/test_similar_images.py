"""`rc duplicates --against`; without it: tests/pipeline/cli/test_search.py."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.cli.app import make_app
from pipeline.cli.reference import commands_page
from pipeline.store import catalog
from stages.ingest import Ingest
from tests.pipeline.helpers import make, rows_of
from tests.stages.near_duplicates.smooth import Scene, jpeg, png

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pipeline.store.artifact import Artifact

    Ask = Callable[..., Any]


def ingest(root: Path, name: str, contents: Mapping[str, bytes]) -> Artifact:
    folder = root.parent / name
    folder.mkdir()
    for file_name, content in contents.items():
        (folder / file_name).write_bytes(content)
    return make(Ingest(sources=(str(folder),)), root)


@pytest.fixture
def sets(root: Path) -> tuple[Artifact, Artifact]:
    """Images to learn from, one of which the evaluation set has and one it has mirrored."""
    rng = np.random.default_rng()
    scenes = [Scene(rng).pixels() for _ in range(4)]
    learned = {f"{n}.jpg": jpeg(pixels) for n, pixels in enumerate(scenes)}
    evaluated = {"a.jpg": learned["1.jpg"], "b.png": png(scenes[2][:, ::-1])}
    return ingest(root, "learned", learned), ingest(root, "evaluated", evaluated)


def test_the_newest_other_images_are_compared(rc: Ask, root: Path, sets: Any) -> None:
    answer = rc("duplicates", "--against", sets[1].address)
    assert answer.code == 0, answer.err
    line = "2 of 4 images are duplicates of one of 2 others, 1 of them by the same bytes"
    found = catalog.find(root, "duplicates")
    assert answer.out == f"{found.address}  {line}\n"
    assert dict(found.manifest.inputs) == {"images": sets[0].address, "against": sets[1].address}
    rows = [
        (row["image_id"], row["other_id"], row["kind"], row["mirrored"])
        for row in rows_of(found).to_pylist()
    ]
    assert [(*map(name_of, row[:2]), *row[2:]) for row in rows] == [
        ("1.jpg", "a.jpg", "same-bytes", False),
        ("2.jpg", "b.png", "near", True),
    ]


def name_of(image_id: str) -> str:
    return image_id.rpartition("/")[2]


def test_a_set_against_itself_has_no_duplicates_and_the_artifact_is_the_newest(
    rc: Ask, root: Path, sets: Any
) -> None:
    words = ("--images", sets[0].address, "--against", sets[0].address)
    answer = rc("duplicates", *words)
    assert answer.code == 0, answer.err
    assert answer.out.endswith("  none of 4 images is a duplicate of an earlier one\n")
    assert catalog.find(root, "duplicates").manifest.rows == 0
    assert rc("duplicates", *words, "--json").code == 0


def test_which_images_are_taken_is_said_where_there_are_several(
    rc: Ask, root: Path, sets: Any
) -> None:
    more = ingest(root, "more", {"x.png": png(Scene(np.random.default_rng()).pixels())})
    answer = rc("duplicates", "--against", sets[1].address)
    assert f"images: {more.address}, the newest; --images takes others" in answer.err
    assert "none of 1 image" in answer.out
    assert rc("duplicates", "--against", sets[1].address, "--quiet").err == ""


def test_images_that_are_alone_are_compared_with_each_other(rc: Ask, root: Path) -> None:
    pixels = Scene(np.random.default_rng()).pixels()
    ingest(root, "alone", {"a.png": png(pixels), "b.png": png(pixels)})
    answer = rc("duplicates", "--against", "images")
    assert "1 of 2 images is a duplicate of an earlier one" in answer.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--most", "3"), "--most is of --against; give that too, or leave it out"),
        (("--images", "images"), "--images is of --against; give that too, or leave it out"),
        (("--workers", "2"), "--workers is of --against; give that too, or leave it out"),
        (
            ("--against", "images", "--min-cosine", "0.9"),
            "--min-cosine is about features; leave it out, or --against",
        ),
        (
            ("--against", "images", "--regions"),
            "--regions is about features; leave it out, or --against",
        ),
    ],
)
def test_options_of_the_other_way_are_refused(
    rc: Ask, sets: Any, words: tuple[str, ...], sentence: str
) -> None:
    answer = rc("duplicates", *words)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == f"error: rc duplicates: {sentence}\n"


def test_a_variable_of_the_environment_is_no_reason_to_refuse(
    rc: Ask, sets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RC_WORKERS", "2")
    assert "there are no features yet" in rc("duplicates").err


def test_images_that_are_not_there_are_an_error(rc: Ask, root: Path) -> None:
    assert rc("duplicates", "--against", "images@00").code == 1
    answer = rc("duplicates", "--against", "features@00")
    assert re.search("'features@00' is no images", answer.err)


def test_the_reference_shows_options_of_both_ways(toy_verbs: None) -> None:
    page = commands_page(make_app([], load_all=True))
    section = page.split("\n## rc duplicates\n")[1].split("\n## ")[0]
    assert "| `--min-cosine` |" in section
    assert "| Only with --against: duplicates of an image that are listed (≥ 1) |" in section
