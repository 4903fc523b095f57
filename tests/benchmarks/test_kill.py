"""The kill benchmark itself: it must kill runs, and it must see differences."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest

from benchmarks import kill
from pipeline.recipes.recipe import Step
from tests.pipeline.conftest import toy_verbs  # noqa: F401
from tests.pipeline.helpers import command, make_all

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("toy_verbs")

RECIPE = """
[[step]]
run = "ingest"
as = "pictures"
sources = ["here", "--there"]
count = 12
sleep = 0.05
refuse_every = 5
[[step]]
run = "extract-concepts"
images = "@pictures"
[[step]]
run = "pretrain"
as = "teacher"
images = "@pictures"
steps = 6
sleep = 0.05
"""


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    path = tmp_path / "chain.toml"
    path.write_text(RECIPE)
    return path


@pytest.mark.slow
def test_killed_stages_end_with_identical_artifacts(chain, capsys) -> None:  # type: ignore[no-untyped-def]
    stores = chain.parent / "stores"
    words = [str(chain), "--times", "2", "--rc", shlex.join(command()), "--stores", str(stores)]
    assert kill.main([*words, "--seed", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["step", "peace", "s", "kills", "kept", "ends", "result"]
    assert [line.split()[0] for line in lines[1:]] == ["pictures", "2", "teacher"]
    assert all(line.endswith("identical") for line in lines[1:])
    assert [line.split()[-4] for line in lines[1:]] == ["2", "2", "2"]


@pytest.mark.slow
def test_a_difference_in_any_file_or_in_the_manifest_is_reported(
    root: Path, tmp_path: Path
) -> None:
    undisturbed = make_all(root)["concepts"].path
    other = make_all(tmp_path / "other")["concepts"].path
    assert kill.differences(undisturbed, other) == []
    (other / "index-00000.faiss").write_text("a cache")
    assert kill.differences(undisturbed, other) == []
    draft = other / "drafts" / "part-00001.parquet"
    content = draft.read_bytes()
    draft.write_bytes(content[:-1] + b"x")
    assert kill.differences(undisturbed, other) == [f"{other.name}/drafts/part-00001.parquet"]
    draft.unlink()
    assert kill.differences(undisturbed, other) == [f"{other.name}/drafts/part-00001.parquet"]
    draft.write_bytes(content)
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps({**manifest, "rows": 0}))
    assert kill.differences(undisturbed, other) == [f"{other.name}/manifest.json"]
    (other / "manifest.json").write_text(json.dumps(manifest))
    (other / ".work").mkdir()
    assert kill.differences(undisturbed, other) == [f"{other.name}/.work"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_a_step_becomes_a_command_line() -> None:
    step = Step(
        "featurize",
        "f",
        {"width": 8, "precision": "float32", "break_part": None},
        {"proposals": "@p", "teacher": "teachers@12"},
    )
    assert kill.command_line(step, {"p": "proposals/v1-0"}) == [
        "featurize",
        "--width=8",
        "--precision=float32",
        "--proposals=proposals/v1-0",
        "--teacher=teachers@12",
    ]
    step = Step("ingest", "i", {"sources": ("a", "-b"), "count": 3}, {})
    assert kill.command_line(step, {}) == ["ingest", "--count=3", "--", "a", "-b"]
    step = Step("propose", "p", {"dump": False}, {})
    assert kill.command_line(step, {}) == ["propose", "--no-dump"]
