"""The attacks themselves: they must see what is half there, left, or different."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks.reliability.attacks import Attack, check_same, check_visible, spread
from benchmarks.reliability.commands import COMMANDS, Command, content
from pipeline.verbs import VERBS
from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is of Linux")


def test_every_verb_that_writes_and_every_export_is_attacked() -> None:
    from pipeline.exporting import features, labels

    attacked = {command.words.split()[0] for command in COMMANDS if command.attacked}
    verbs = {name.split()[0] for name in VERBS}  # "audit close" copies what a browser wrote
    others = {"run", "db", "gc", "view", "report", "draw", "search", "export", "export-weights"}
    others |= {"merge-concepts"}
    assert attacked >= {*verbs, *others, "export-features", "export-detections"}
    names = {command.name for command in COMMANDS}
    assert names >= {f"export {form}" for form in labels.FORMATS}
    assert names >= {f"export-features {form}" for form in features.FORMATS}


@pytest.fixture
def attack(tmp_path: Path) -> Attack:
    """An export into a store with an artifact, as it is in peace."""
    trial, before = tmp_path / "trial", tmp_path / "before"
    make(Ingest(), trial / "store")
    before.mkdir()
    (trial / "out").mkdir()
    for name in ("a", "b"):
        (trial / "out" / name).write_text(name)
    return Attack(Command("export", "export out", "out"), trial, before, content(trial), [])


def test_an_output_is_whole_or_absent_and_nothing_in_between(attack: Attack) -> None:
    assert check_visible(attack)
    (attack.trial / "out" / "b").unlink()
    with pytest.raises(AssertionError, match="out is half there"):
        check_visible(attack)
    (attack.trial / "out" / "a").unlink()
    (attack.trial / "out").rmdir()
    assert not check_visible(attack)
    assert not check_visible(replace(attack, command=Command("sql", "sql")))


def test_half_an_artifact_is_seen(attack: Attack) -> None:
    (part, *_) = sorted(attack.trial.glob("store/images/v*/part-00001.parquet"))
    rows = part.read_bytes()
    part.write_bytes(bytes(len(rows)))
    with pytest.raises(AssertionError, match=r"half an artifact is visible: .*part-00001\.parquet"):
        check_visible(attack)
    part.write_bytes(rows)
    manifest = part.with_name("manifest.json")
    text = manifest.read_text()
    for half in ("", text[:100], text.replace('"rows": 20', '"rows": 21')):
        manifest.write_text(half)
        with pytest.raises(AssertionError, match=r"manifest\.json is damaged"):
            check_visible(attack)


def test_what_differs_is_missing_or_is_left_is_named(attack: Attack) -> None:
    check_same(attack, content(attack.trial), "no")
    (attack.trial / "out" / "a").write_text("b")
    (attack.trial / "out" / "b").unlink()
    (attack.trial / ".0.draft").mkdir()
    changes = r"then: \.0\.draft \(is left\), out/a \(differs\), out/b \(is missing\)"
    with pytest.raises(AssertionError, match=changes):
        check_same(attack, content(attack.trial), "then")


def test_the_circumstances_of_a_run_are_no_difference(attack: Attack) -> None:
    (path,) = attack.trial.glob("store/images/v*/manifest.json")
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "run": {}, "own_sha256": "0"}))
    (path.parent / "recency.json").write_text("{}")
    check_same(attack, content(attack.trial), "no")
    path.write_text(json.dumps({**manifest, "version": 99}))
    with pytest.raises(AssertionError, match=r"manifest\.json \(differs\)"):
        check_same(attack, content(attack.trial), "no")


def test_points_are_spread_evenly() -> None:
    assert spread(range(3), 5) == [0, 1, 2]
    assert spread(range(100), 4) == [12, 37, 62, 87]
    assert spread([], 4) == []
