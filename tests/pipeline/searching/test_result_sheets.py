"""Contact sheets of hits and of duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from pipeline.searching import (
    DuplicateCriteria,
    FeatureCorpus,
    find_duplicates,
    nearest_regions,
    result_sheets,
    save_group_sheet,
    save_hit_sheet,
)
from pipeline.searching.result_sheets import check_sheet_path
from schemas.errors import OptionError, RCError, SourceError
from stages.pixels import decode
from tests.pipeline.helpers import make_all
from tests.pipeline.searching.planted import groups, plant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from pipeline.contact_sheets import Panel
    from tests.pipeline.searching.photographs import Photographs

pytestmark = pytest.mark.slow

SIDE, GAP = 180, 12  # pixels of a crop, and between two crops


@pytest.fixture
def panels(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Panel]]:
    """The rows of panels on the sheet, which is still written."""
    rendered: list[Sequence[Panel]] = []
    save = result_sheets.save_sheet

    def spy(path: Path, rows: Sequence[Sequence[Panel]], scale: float) -> None:
        rendered.extend(rows)
        save(path, rows, scale)

    monkeypatch.setattr(result_sheets, "save_sheet", spy)
    return rendered


@pytest.fixture(scope="module")
def hits(photo_corpus: FeatureCorpus) -> pa.Table:
    """Regions with labels, and whole images without."""
    return nearest_regions(photo_corpus, np.ones(128), 20, "image_id NOT LIKE '%twin%'")


def width(crops: int) -> int:
    return crops * (SIDE + GAP) + GAP


@pytest.mark.parametrize(("count", "rows"), [(1, [1]), (6, [6]), (14, [6, 6, 2])])
def test_a_row_of_the_sheet_has_six_hits(
    photo_corpus: FeatureCorpus,
    hits: pa.Table,
    tmp_path: Path,
    panels: list[Sequence[Panel]],
    count: int,
    rows: list[int],
) -> None:
    save_hit_sheet(photo_corpus, hits.slice(0, count), tmp_path / "hits.png")
    assert [len(row) for row in panels] == rows
    assert {panel.pixels.shape for row in panels for panel in row} == {(SIDE, SIDE, 3)}
    with Image.open(tmp_path / "hits.png") as written:
        assert written.format == "PNG"
        assert written.width == width(max(rows))
        assert written.height > len(rows) * (SIDE + GAP)


def test_a_panel_has_rank_score_concept_and_region(
    photo_corpus: FeatureCorpus, hits: pa.Table, tmp_path: Path, panels: list[Sequence[Panel]]
) -> None:
    save_hit_sheet(photo_corpus, hits, tmp_path / "hits.png")
    assert {name is None for name in hits["concept"].to_pylist()} == {False, True}
    flat = [panel for row in panels for panel in row]
    for panel, hit in zip(flat, hits.to_pylist(), strict=True):
        key = f"{hit['image_id']}:{hit['region']}"
        labelled = hit["concept"] and f"{hit['concept']} {hit['probability']:.2f}  {key}"
        assert panel.title == f"{hit['rank']}   {hit['score']:.3f}"
        assert panel.text == (labelled or key)


def photograph(photos: Photographs, image: str) -> NDArray[np.uint8]:
    path = photos.folder.parent / image
    return decode(path.read_bytes(), 6 if path.suffix == ".jpg" else 1)


def test_the_box_of_a_crop_holds_what_it_holds_in_the_photograph(
    photo_corpus: FeatureCorpus, photos: Photographs, tmp_path: Path, panels: list[Sequence[Panel]]
) -> None:
    hits = nearest_regions(photo_corpus, np.ones(128), 30, "region >= 0")
    save_hit_sheet(photo_corpus, hits, tmp_path / "hits.png")
    flat = [panel for row in panels for panel in row]
    for panel, hit in zip(flat, hits.to_pylist(), strict=True):
        (mark,) = panel.marks
        x0, y0, x1, y1 = (round(edge) for edge in mark.box)
        assert 0 <= x0 < x1 <= SIDE
        assert 0 <= y0 < y1 <= SIDE
        box = [int(hit[name]) for name in ("x0", "y0", "x1", "y1")]
        pixels = photograph(photos, hit["image_id"])[box[1] : box[3], box[0] : box[2]]
        crop = panel.pixels[y0:y1, x0:x1]
        left, top, right, bottom = mark.box
        assert (right - left) / (bottom - top) == pytest.approx(pixels.shape[1] / pixels.shape[0])
        np.testing.assert_allclose(crop.mean((0, 1)), pixels.mean((0, 1)), atol=8)


def test_a_whole_image_is_shown_whole_and_without_a_box(
    photo_corpus: FeatureCorpus, photos: Photographs, tmp_path: Path, panels: list[Sequence[Panel]]
) -> None:
    hits = nearest_regions(photo_corpus, np.ones(128), 1, "region = -1")
    save_hit_sheet(photo_corpus, hits, tmp_path / "hits.png")
    ((panel,),) = panels
    assert not panel.marks
    grey = (panel.pixels == panel.pixels[0, 0]).all(axis=2)  # above and below a broad photograph
    assert np.flatnonzero(~grey.all(axis=1)).tolist() == list(range(18, 162))
    shown = panel.pixels[18:162].mean((0, 1))
    pixels = photograph(photos, hits["image_id"][0].as_py())
    np.testing.assert_allclose(shown, pixels.mean((0, 1)), atol=2)


def test_a_group_is_a_row(
    photo_corpus: FeatureCorpus, tmp_path: Path, panels: list[Sequence[Panel]]
) -> None:
    duplicates = find_duplicates(
        photo_corpus, DuplicateCriteria(regions=True, same_image=True, min_cosine=0.95)
    )
    save_group_sheet(photo_corpus, duplicates, tmp_path / "groups.png")
    assert [len(row) for row in panels] == [min(6, len(group)) for group in groups(duplicates)]
    assert len(panels) > 1
    first = duplicates.to_pylist()[0]
    text = f"{panels[0][0].title} {panels[0][0].text}"
    assert f"of {first['size']} " in text
    assert f"{first['cosine']:.3f} " in text
    assert f"{first['image_id']}:{first['region']}" in text
    with Image.open(tmp_path / "groups.png") as written:
        assert (written.format, written.width) == ("PNG", width(len(panels[0])))


def test_eight_groups_are_shown_and_six_of_each(
    root: Path, tmp_path: Path, panels: list[Sequence[Panel]]
) -> None:
    corpus = plant(root, np.repeat(np.eye(10), [9, 6, 5, 2, 2, 2, 2, 2, 2, 2], axis=0))
    duplicates = find_duplicates(corpus, DuplicateCriteria(regions=True))
    assert max(duplicates["group"].to_pylist()) == 10
    save_group_sheet(corpus, duplicates, tmp_path / "groups.png")
    assert [len(row) for row in panels] == [6, 6, 5, 2, 2, 2, 2, 2]


def test_an_image_that_is_not_in_the_store_gets_a_grey_panel_with_the_reason(
    root: Path, tmp_path: Path, panels: list[Sequence[Panel]]
) -> None:
    corpus = plant(root, np.eye(3))
    save_hit_sheet(corpus, nearest_regions(corpus, np.eye(3)[2], 1), tmp_path / "hits.png")
    ((panel,),) = panels
    assert panel.text == "0/2:0 the image is not in the store"
    assert len(np.unique(panel.pixels)) == 1


def test_an_image_whose_file_is_gone_gets_a_grey_panel_with_the_reason(
    root: Path, tmp_path: Path, panels: list[Sequence[Panel]]
) -> None:
    make_all(root, count=4)
    corpus = FeatureCorpus.find(root)
    save_hit_sheet(corpus, nearest_regions(corpus, np.eye(6)[0], 2), tmp_path / "hits.png")
    for panel in panels[0]:
        assert "which is gone: put it back" in panel.text
        assert len(np.unique(panel.pixels)) == 1


def test_an_empty_result_writes_no_sheet(root: Path, tmp_path: Path) -> None:
    corpus, path = plant(root, np.eye(3)), tmp_path / "sheet.png"
    with pytest.raises(SourceError, match=r"sheet.png was not written: the search has no hits"):
        save_hit_sheet(corpus, nearest_regions(corpus, np.ones(3), 1, "false"), path)
    with pytest.raises(SourceError, match=r"was not written: there are no duplicates"):
        save_group_sheet(corpus, find_duplicates(corpus, DuplicateCriteria(regions=True)), path)
    assert not path.exists()


@pytest.mark.parametrize("name", ["sheet", "sheet.pgn", "sheet.jpg", "."])
def test_a_sheet_that_is_not_a_png_is_refused(root: Path, tmp_path: Path, name: str) -> None:
    corpus = plant(root, np.eye(3)[[0, 0, 1]])
    with pytest.raises(RCError, match=r"\.png"):
        save_hit_sheet(corpus, nearest_regions(corpus, np.ones(3), 2), tmp_path / name)
    with pytest.raises(RCError, match=r"\.png"):
        save_group_sheet(
            corpus, find_duplicates(corpus, DuplicateCriteria(regions=True)), tmp_path / name
        )


def test_a_sheet_in_an_impossible_place_is_refused(root: Path, tmp_path: Path) -> None:
    corpus = plant(root, np.eye(3))
    hits = nearest_regions(corpus, np.ones(3), 2)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "folder.png", tmp_path / "file" / "sheet.png"):
        with pytest.raises(RCError, match=r"--sheet"):
            save_hit_sheet(corpus, hits, path)


def test_the_folder_of_a_sheet_is_created(root: Path, tmp_path: Path) -> None:
    corpus = plant(root, np.eye(3))
    save_hit_sheet(
        corpus, nearest_regions(corpus, np.ones(3), 2), tmp_path / "a" / "b" / "hits.png"
    )
    assert (tmp_path / "a" / "b" / "hits.png").is_file()


def test_saving_groups_returns_how_many_are_shown_of_how_many(root: Path, tmp_path: Path) -> None:
    corpus = plant(root, np.repeat(np.eye(10), 2, axis=0))
    duplicates = find_duplicates(corpus, DuplicateCriteria(regions=True, same_image=True))
    assert save_group_sheet(corpus, duplicates, tmp_path / "s.png") == (8, 10)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("sheet.jpg", "--sheet is written to a .png file, got 'sheet.jpg'"),
        ("folder.png", "--sheet {root}/folder.png is not a file; give another name"),
        ("file/a.png", "--sheet {root}/file/a.png cannot be made: {root}/file is not a folder"),
    ],
)
def test_an_impossible_path_is_refused_before_the_search(
    tmp_path: Path, name: str, sentence: str
) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError) as refusal:
        check_sheet_path(tmp_path / name)
    assert str(refusal.value) == sentence.format(root=tmp_path)


def test_a_path_in_new_folders_and_an_existing_png_are_allowed(tmp_path: Path) -> None:
    (tmp_path / "old.png").write_text("")
    for path in (tmp_path / "new" / "folder" / "SHEET.PNG", tmp_path / "old.png"):
        check_sheet_path(path)
    assert not (tmp_path / "new").exists()


def test_the_context_of_a_box_at_the_border_is_filled_with_grey() -> None:
    pixels = np.full((100, 200, 3), 7, np.uint8)
    row = {"x0": 0, "y0": 0, "x1": 20, "y1": 10, "region": 0}
    crop, (mark,) = result_sheets._crop_with_mark(pixels, row)
    assert crop.shape == (SIDE, SIDE, 3)
    half = 20 * (0.5 + 0.35)  # of the square around the box, in pixels of the image
    scale = SIDE / (2 * half)
    left, top = 10 - half, 5 - half
    expected = [(0 - left) * scale, (0 - top) * scale, (20 - left) * scale, (10 - top) * scale]
    assert mark.box == pytest.approx(expected)
    x0, y0 = (round(edge) for edge in mark.box[:2])
    assert (crop[:y0] == 0xE8).all()
    assert (crop[:, :x0] == 0xE8).all()
    assert (crop[y0:, x0:] == 7).all()
