"""Synthetic images of a recipe: written once, and never mistaken for others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.recipes.synthetic_data import (
    NOTE,
    SyntheticData,
    read_synthetic_data,
    write_synthetic_data,
)
from schemas.errors import SourceError
from stages.synthetic import dataset_writers


@pytest.fixture
def data(tmp_path: Path) -> SyntheticData:
    return SyntheticData("scenes", tmp_path / "deep" / "scenes", "scenes", 2, 5)


def test_images_are_written_once(data: SyntheticData) -> None:
    assert write_synthetic_data(data)
    assert json.loads((data.folder / NOTE).read_text()) == {
        "kind": "scenes",
        "split": "scenes",
        "count": 2,
        "seed": 5,
    }
    before = {path: path.stat().st_mtime_ns for path in data.folder.rglob("*")}
    assert len(before) > 3
    assert not write_synthetic_data(data)
    assert {path: path.stat().st_mtime_ns for path in data.folder.rglob("*")} == before
    assert [path.name for path in data.folder.parent.iterdir()] == ["scenes"]


def test_a_folder_with_other_images_is_refused(data: SyntheticData) -> None:
    data.folder.mkdir(parents=True)
    (data.folder / NOTE).write_text(json.dumps(data.description()))
    with pytest.raises(SourceError) as error:
        write_synthetic_data(replace(data, count=3))
    assert str(error.value) == (
        f"{data.folder} has kind scenes, split scenes, count 2, seed 5, but the recipe needs "
        f"kind scenes, split scenes, count 3, seed 5; delete the folder, or name another"
    )


def test_a_folder_of_the_user_is_refused_and_kept(data: SyntheticData) -> None:
    data.folder.mkdir(parents=True)
    (data.folder / "holiday.jpg").write_bytes(b"")
    with pytest.raises(SourceError, match="has no synthetic data of a recipe, but the recipe"):
        write_synthetic_data(data)
    assert [path.name for path in data.folder.iterdir()] == ["holiday.jpg"]


def test_a_killed_run_leaves_no_folder_that_seems_complete(
    data: SyntheticData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(folder: Path, *args: Any) -> None:
        (folder / "half.jpg").write_bytes(b"")
        raise KeyboardInterrupt

    monkeypatch.setattr(dataset_writers, "write_scenes", killed)
    with pytest.raises(KeyboardInterrupt):
        write_synthetic_data(data)
    assert not data.folder.exists()


def test_a_run_that_is_slower_than_another_keeps_the_images_of_the_other(
    data: SyntheticData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(folder: Path, *args: Any) -> None:
        data.folder.mkdir()
        (data.folder / NOTE).write_text(json.dumps(data.description()))

    monkeypatch.setattr(dataset_writers, "write_scenes", overtaken)
    assert write_synthetic_data(data)
    assert [path.name for path in data.folder.parent.iterdir()] == ["scenes"]


def test_an_entry_is_read_with_its_defaults_and_its_seed_offset() -> None:
    entry = {"kind": "web", "folder": "w/x", "count": "12", "seed": 3, "seed-offset": 100}
    expected = SyntheticData("web", Path("w/x"), "scenes", 12, 103)
    assert read_synthetic_data(entry, "draw 1 of r.toml") == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"kind": "films"},
            "draw 1 of r.toml: kind: Input should be 'scenes', 'pictures' or 'web'",
        ),
        ({"count": "many"}, "draw 1 of r.toml: count: Input should be a valid integer"),
        ({"colour": "red"}, "draw 1 of r.toml: colour: Unexpected keyword argument"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError) as error:
        read_synthetic_data(
            {"kind": "web", "folder": "w", "count": 1} | changes, "draw 1 of r.toml"
        )
    assert str(error.value).startswith(message)
