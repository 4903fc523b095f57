"""`rc draw` writes synthetic pictures; `rc demo` prints a table of accuracies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cli.demo_and_draw import _accuracy_table, _this_command

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class ToyScore:
    """As `pipeline.demo.Score`."""

    name: str
    top1: float
    top5: float
    base: float | None
    novel: float | None
    address: str = "metrics/v1-0"


SCORES: list[Any] = [
    ToyScore("student, plain", 0.2, 0.4, None, 0.05),
    ToyScore("teacher", 0.256, 0.5, 0.3, 0.1),
    ToyScore("student, our recipe", 1.0, 1.0, 0.999, 0.0),
]


@pytest.mark.slow
def test_scenes_are_written_as_a_coco_folder(rc, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "scenes"
    result = rc("draw", "scenes", out, "--count", 2, "--split", "toy")
    assert (result.code, result.out) == (0, f"{out}  2 pictures\n")
    instances = json.loads((out / "annotations" / "instances_toy.json").read_text())
    assert len(instances["images"]) == 2
    assert len(list((out / "images" / "toy").iterdir())) == 2


@pytest.mark.slow
def test_equal_seeds_make_equal_pictures(rc, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        rc("draw", "web", tmp_path / name, "--count", 1, "--seed", seed)
    tars = {name: next((tmp_path / name).rglob("*.tar")).read_bytes() for name in "abc"}
    assert tars["a"] == tars["b"] != tars["c"]


def test_an_unknown_kind_of_picture_is_refused(rc, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    result = rc("draw", "photographs", tmp_path / "out")
    assert result.code == 1
    assert result.err == "error: rc draw: kind must be web, scenes or pictures, got 'photographs'\n"
    assert not (tmp_path / "out").exists()


def test_the_table_has_one_line_per_model_in_per_cent() -> None:
    title, header, *lines = _accuracy_table(SCORES, 200).splitlines()
    assert "200 held-out scenes, per cent" in title
    assert header.split() == ["top-1", "top-5", "base", "novel"]
    assert [line[40:].split() for line in lines] == [
        ["20.0", "40.0", "-", "5.0"],
        ["25.6", "50.0", "30.0", "10.0"],
        ["100.0", "100.0", "99.9", "0.0"],
    ]
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("called_as", "on_path", "command"),
    [
        ("bin/rc", True, "rc"),
        ("bin/rc", False, "bin/rc"),
        ("my bin/rc", False, "'my bin/rc'"),
        ("/usr/lib/pytest/__main__.py", False, "rc"),
    ],
)
def test_the_command_that_is_printed_works_where_the_demo_was_called(
    called_as: str, on_path: bool, command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("bin", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "rc").touch(mode=0o755)
    monkeypatch.setattr("sys.argv", [called_as, "demo"])
    monkeypatch.setenv("PATH", str(tmp_path / ("bin" if on_path else "other")))
    assert _this_command() == command
