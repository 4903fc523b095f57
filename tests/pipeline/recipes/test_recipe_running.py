from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.recipes.recipe import load
from pipeline.recipes.recipe_running import read_running
from schemas.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path


def test_only_what_is_written_is_said() -> None:
    assert read_running({}, "r.toml") == {}
    assert read_running({"engine": "ray", "ray-address": "auto"}, "r.toml") == {
        "engine": "ray",
        "ray_address": "auto",
    }


def test_both_spellings_of_a_key_are_one() -> None:
    written = {"gpus_per_worker": 0.5, "cpus-per-worker": 2}
    assert read_running(written, "r.toml") == {"gpus_per_worker": 0.5, "cpus_per_worker": 2}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"engin": "ray"}, r"\[running\] of r.toml: engin: Extra inputs"),
        ({"engine": "dask"}, r"\[running\] of r.toml: engine: Input should be 'local' or 'ray'"),
        ({"workers": 0}, r"\[running\] of r.toml: workers: Input should be greater"),
        ({"gpus-per-worker": -1}, r"gpus-per-worker: Input should be greater"),
    ],
)
def test_what_it_cannot_say_is_a_sentence(written: dict[str, Any], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read_running(written, "r.toml")


def test_a_recipe_fills_its_placeholders(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(
        '[defaults]\nmany = 3\n[running]\nworkers = "{many}"\n[[step]]\nrun = "ingest"\n'
    )
    assert load(path, {}).running == {"workers": 3}
    assert load(path, {"many": "5"}).running == {"workers": 5}
