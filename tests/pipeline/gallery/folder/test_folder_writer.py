"""The gallery as a folder: its answers and pictures, and when it is not written."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from pipeline import api
from pipeline.gallery.folder import FolderRequest, folder_writer, write_folder
from pipeline.progress import Silent
from schemas.errors import ArtifactError, ArtifactNotFoundError, OptionError
from stages.synthetic.dataset_writers import write_scenes
from tests.pipeline.helpers import Listener

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

pytestmark = pytest.mark.slow

SIDES = ("x0", "y0", "x1", "y1")


def read_answer(folder: Path, name: str) -> Any:
    """The JSON of an answer: a call of `put` with its name and one string."""
    text = (folder / "data" / f"{name}.js").read_text()
    match = re.fullmatch(r'put\("([\w-]+)", (".*")\);\n', text)
    assert match
    assert match[1] == name
    return json.loads(json.loads(match[2]))


def get_json(client: TestClient, query: str, **parameters: str) -> Any:
    return client.get(f"/api/{query}", params=parameters).json()


def test_overall_answers_equal_those_of_the_server(folder: Path, client: TestClient) -> None:
    for query in ("concepts", "synonyms", "training", "evaluations"):
        assert read_answer(folder, query) == get_json(client, query)
    evaluations = read_answer(folder, "index")["evaluations"]
    assert len(evaluations) == 2
    for number, artifact in enumerate(evaluations):
        expected = get_json(client, "evaluation", artifact=artifact)
        assert read_answer(folder, f"evaluation-{number}") == expected


def test_the_overview_is_that_of_the_server_and_describes_the_folder(
    folder: Path, client: TestClient
) -> None:
    overview, expected = read_answer(folder, "overview"), get_json(client, "overview")
    (address,) = overview.pop("labels")
    assert address == expected.pop("labels")[0]
    assert overview.pop("folder") == {"images": 6, "of": 6, "looked_at": address}
    assert overview == expected


def test_the_page_of_an_image_equals_that_of_the_server_with_all_its_sides(
    folder: Path, client: TestClient
) -> None:
    for position in range(6):
        image_id = f"scenes/{position:06}"
        page, expected = (
            read_answer(folder, f"image-{position}"),
            get_json(client, "image", id=image_id),
        )
        sides = page.pop("side")
        assert sorted(sides) == sorted(side["of"] for side in expected["sides"])
        for of, side in sides.items():
            assert side == get_json(client, "side", id=image_id, of=of)
        page.pop("near")
        assert page == expected


def test_similar_regions_of_the_folder_equal_a_search_on_the_server(
    folder: Path, client: TestClient
) -> None:
    page = read_answer(folder, "image-2")
    kept = [str(row["region"]) for row in page["regions"] if row["kept"]]
    assert sorted(page["near"]) == sorted(kept)
    region, hits = next(iter(page["near"].items()))
    served = get_json(client, "search", region=f"scenes/000002:{region}")["hits"]
    scores = {(hit["image_id"], hit["region"]): hit["score"] for hit in served}
    common = [
        (score, scores[f"scenes/{position:06}", other])
        for position, other, score in hits
        if (f"scenes/{position:06}", other) in scores
    ]
    assert len(common) > 5
    assert all(actual == pytest.approx(expected, abs=1e-5) for actual, expected in common)


def test_every_concept_has_its_page(folder: Path, client: TestClient) -> None:
    for number, concept in enumerate(read_answer(folder, "index")["concepts"]):
        page = read_answer(folder, f"concept-{number}")
        expected = get_json(client, "concept", name=concept)
        scores = [score for _, _, score in page.pop("hits")]
        assert scores == sorted(scores, reverse=True)
        cosines = [sorted(row["cosine"] for row in p.pop("near")) for p in (page, expected)]
        assert cosines[0] == pytest.approx(cosines[1], abs=1e-5)
        assert page == expected


def test_the_list_of_images_has_the_kept_labels_of_each(folder: Path) -> None:
    concepts = read_answer(folder, "index")["concepts"]
    rows = read_answer(folder, "images-0")
    assert [row["image_id"] for row in rows] == [f"scenes/{n:06}" for n in range(6)]
    for position, row in enumerate(rows):
        page = read_answer(folder, f"image-{position}")
        assert row["captions"] == page["image"]["captions"]
        assert [[concepts[number], *rest] for number, *rest in row["labels"]] == [
            [r["concept"], r["probability"], r["margin"], *(round(r[side]) for side in SIDES)]
            for r in page["regions"]
            if r["kept"]
        ]


def test_a_long_list_of_images_is_cut_into_files(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_writer, "_ROWS", 4)
    write_folder(root, tmp_path / "out", FolderRequest(), Silent())
    files = [read_answer(tmp_path / "out", f"images-{number}") for number in range(2)]
    assert [len(rows) for rows in files] == [4, 2]
    assert read_answer(tmp_path / "out", "index")["rows"] == 4


def test_every_answer_is_one_string_even_with_a_script_in_a_caption(folder: Path) -> None:
    answers = {path.stem: read_answer(folder, path.stem) for path in (folder / "data").iterdir()}
    assert "<script>" in json.dumps(answers["image-0"])


def test_every_image_has_a_large_and_a_small_picture(folder: Path) -> None:
    for position in range(6):
        with Image.open(folder / "pictures" / f"full-{position}.jpg") as picture:
            assert max(picture.size) == 320
        with Image.open(folder / "pictures" / f"thumb-{position}.jpg") as picture:
            assert max(picture.size) == 240
    assert len(list((folder / "pictures").iterdir())) == 12


def test_a_limit_spreads_the_images_evenly_and_no_answer_refers_to_others(
    root: Path, tmp_path: Path
) -> None:
    out, listener = tmp_path / "few", Listener()
    assert write_folder(root, out, FolderRequest(limit=2), listener) == 2
    assert listener.started == [("view", 2, "images")]
    assert (listener.count, listener.stopped, listener.sentences) == (2, 1, [])
    index = read_answer(out, "index")
    shown = [row[0] for row in index["images"]]
    assert shown == ["scenes/000000", "scenes/000003"]
    assert len(list((out / "pictures").iterdir())) == 4
    for number in range(len(index["concepts"])):
        page = read_answer(out, f"concept-{number}")
        assert {row["image_id"] for row in page["surest"] + page["unsure"]} <= set(shown)
        assert all(hit[0] in (0, 1) for hit in page["hits"])
    assert read_answer(out, "overview")["folder"]["of"] == 6


def test_a_failed_run_leaves_nothing_and_an_existing_folder_is_kept(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as broken:
        broken.setattr(folder_writer, "jpeg", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_folder(root, out, FolderRequest(), Silent())
    assert list(tmp_path.iterdir()) == []
    out.mkdir()
    with pytest.raises(OptionError, match="out exists"):
        write_folder(root, out, FolderRequest(), Silent())


def test_images_without_labels_and_without_pixels_are_written_with_sentences(
    tmp_path: Path,
) -> None:
    write_scenes(tmp_path / "scenes", "scenes", 3, 5)
    api.Store(tmp_path / "store").run("ingest", sources=[str(tmp_path / "scenes")])
    next((tmp_path / "scenes" / "images" / "scenes").glob("*1.jpg")).unlink()
    listener = Listener()
    assert write_folder(tmp_path / "store", tmp_path / "out", FolderRequest(), listener) == 3
    assert listener.sentences == ["warning: the pixels of 1 images could not be read"]
    for name in ("concepts", "what-if"):
        assert "run 'rc label' first" in read_answer(tmp_path / "out", name)["problem"]
    index = read_answer(tmp_path / "out", "index")
    assert (len(index["images"]), index["concepts"], index["regions"]) == (3, [], 0)
    assert len(list((tmp_path / "out" / "pictures").iterdir())) == 4


def test_labels_without_their_concept_names_are_refused(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "store", symlinks=True)
    shutil.rmtree(tmp_path / "store" / "concept_embeddings")
    with pytest.raises(ArtifactError, match="the concept_embeddings that pseudo_labels/"):
        write_folder(tmp_path / "store", tmp_path / "out", FolderRequest(), Silent())
    assert (
        write_folder(tmp_path / "store", tmp_path / "out", FolderRequest("images"), Silent()) == 6
    )


def test_use_selects_the_labels_or_images_to_show(root: Path, tmp_path: Path) -> None:
    oldest = sorted(root.glob("pseudo_labels/v*"))[0].name.split("-")[1]
    write_folder(root, tmp_path / "a", FolderRequest(f"pseudo_labels@{oldest}", 1), Silent())
    assert oldest in read_answer(tmp_path / "a", "overview")["labels"][0]
    write_folder(root, tmp_path / "b", FolderRequest("images", 1), Silent())
    assert read_answer(tmp_path / "b", "overview")["labels"] == []
    with pytest.raises(OptionError, match=r"--use takes pseudo_labels@… or images@…"):
        write_folder(root, tmp_path / "c", FolderRequest("features", 1), Silent())
    with pytest.raises(ArtifactNotFoundError):
        write_folder(root, tmp_path / "c", FolderRequest("images@ffff", 1), Silent())
    with pytest.raises(ArtifactNotFoundError, match="begin with 'rc ingest'"):
        write_folder(tmp_path / "empty", tmp_path / "c", FolderRequest(), Silent())
    assert not (tmp_path / "c").exists()
