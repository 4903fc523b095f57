"""Hostile files through the commands: an exit code and a sentence, never a traceback."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from pipeline.cli import main
from tests.hostile.readers import new_folder
from tests.hostile.values import nested

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
ROW = {"file_name": "a.jpg", "caption": "a dog"}


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    known = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in known.items():
        signal.signal(number, handler)


def rc(folder: Path, *words: object) -> int:
    """The exit code of a command on a store in the folder."""
    with pytest.raises(SystemExit) as left:
        main([*map(str, words), "--store", str(folder / "store")])
    return int(left.value.code or 0)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("m.jsonl", json.dumps({**ROW, "split": "\ud800"}), 0),
        ("m.jsonl", json.dumps({**ROW, "\ud800": "\ud800"}), 0),
        ("m.jsonl", json.dumps({**ROW, "caption": "\ud800"}), 0),
        ("m.jsonl", nested(100_000), 1),
        ("m.csv", "\x1f\x8b\x08\x00", 1),
        ("c/annotations/instances_images.json", nested(100_000), 1),
    ],
)
def test_ingest_counts_it_or_says_why_not(
    tmp_path: Path, name: str, content: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    source = new_folder(tmp_path / "images") / name
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(content, encoding="latin-1")
    named = source if source.suffix != ".json" else tmp_path / "images" / "c"
    assert rc(tmp_path, "ingest", named) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert ("error: " in said) == (code == 1)


@pytest.mark.parametrize(
    "content", ['include = ["r.toml"]', "[[step]]\nrun = {a = 1}", "x = " + nested(9000)]
)
def test_run_says_what_is_wrong_with_a_recipe(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.toml").write_text(content)
    assert rc(tmp_path, "run", tmp_path / "r.toml") == 1
    assert "r.toml" in capsys.readouterr().err
