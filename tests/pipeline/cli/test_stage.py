"""A stage on the command line: its options, its result, its exit code."""

from __future__ import annotations

import errno
import json
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.cli.stage import _default_input
from pipeline.store import catalog
from pipeline.verbs import VERBS
from schemas.concepts import CONCEPTS
from stages.base import whole
from tests.pipeline.cli.toy_presets import VerbWithPresets
from tests.pipeline.helpers import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_the_result_is_one_line_on_standard_output(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    result = rc("ingest", "here", "--count", 7)
    address = catalog.find(root, "images").address
    assert (result.code, result.out, result.err) == (0, f"{address}  7 rows\n", "")


@pytest.mark.slow
def test_it_is_the_same_line_when_the_artifact_is_already_there(rc) -> None:  # type: ignore[no-untyped-def]
    assert rc("ingest", "here").out == rc("ingest", "here").out


def test_json_is_one_object_on_one_line(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    result = rc("ingest", "here", "--json", "--refuse-every", 10)
    assert json.loads(result.out) == {
        "address": catalog.find(root, "images").address,
        "rows": 18,
        "dropped": {"told-to": 2},
        "notes": {"images": 18, "summary": ["18 rows"]},
    }
    assert result.out.count("\n") == 1
    assert "2 refused: told-to (rc sql 'FROM quarantine')" in result.err


@pytest.mark.slow
def test_flags_become_options_and_inputs(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    rc("ingest", "a", "b", "--count", 6, "--per-part", 2, "--seed", 5)
    first = catalog.find(root, "images")
    assert first.manifest.stage.options["seed"] == 5
    assert set(first.manifest.sources) == {"a", "b"}
    rc("ingest", "a")
    result = rc("propose", "--images", first.address, "--no-dump", "--regions", 1)
    assert result.out.endswith("  6 rows\n")
    assert catalog.find(root, "proposals").manifest.stage.options["dump"] is False


@pytest.mark.slow
def test_the_environment_sets_an_option_and_a_flag_overrides_it(
    rc,  # type: ignore[no-untyped-def]
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RC_INGEST_PER_PART", "4")
    rc("ingest", "a")
    assert catalog.find(root, "images").numbers == [0, 1, 2, 3, 4]
    rc("ingest", "a", "--per-part", 10)
    assert catalog.find(root, "images").numbers == [0, 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ingest", "--tint", "0"], "error: rc ingest: --tint must be above 0, got 0\n"),
        (["ingest", "--tint", "nan"], "error: rc ingest: --tint must be above 0, got nan\n"),
        (["propose"], "error: rc propose needs images, and there are none in"),
        (["propose", "--images", "features@1"], "error: rc propose: --images takes images@…"),
        (["ingest", "--break-part", "1"], "error: rc ingest: 1 of 4 parts failed; part 1 said: "),
        (["ingest", "--full-part", "1"], "the disk or the quota is full"),
        (["sql", "DROP VIEW images"], "error: nothing is in"),
        (["lineage", "images"], "error: no artifact matches 'images'"),
        (["run", "nowhere"], "error: no recipe 'nowhere'"),
        (["config", "nowhere"], "error: rc config: 'nowhere' is not a stage"),
    ],
)
def test_an_error_of_the_user_is_one_sentence_and_code_1(
    rc, words: list[str], message: str
) -> None:  # type: ignore[no-untyped-def]
    answer = rc(*words)
    assert answer.code == 1
    assert answer.out == ""
    assert message in answer.err
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1


@pytest.mark.slow
def test_a_dry_run_prints_the_work_and_changes_nothing(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    root.rmdir()
    answer = rc("ingest", "--dry-run")
    assert "  would compute 4 of 4 parts, 20 images, reading about 0 bytes" in answer.out
    assert not root.exists()
    rc("ingest", "--break-part", 2)
    assert "  would compute 1 of 4 parts, " in rc("ingest", "--dry-run").out
    rc("ingest")
    assert "  finished already: nothing would run" in rc("ingest", "--dry-run").out


@pytest.mark.slow
@pytest.mark.parametrize(
    "where", ["pipeline.store.manifest.write", "pipeline.execution.runner._merge"]
)
def test_a_full_disk_at_the_end_gives_a_sentence_and_keeps_the_parts(
    rc,  # type: ignore[no-untyped-def]
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")

    with monkeypatch.context() as patch:
        patch.setattr(where, full)
        result = rc("ingest")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: the disk or the quota is full: ")
    assert result.err.endswith(
        " could not be written. Make room, then run the same command again.\n"
    )
    assert catalog.committed(root) == []
    assert rc("ingest", "--mark", root / "log").code == 0
    assert not (root / "log").exists()  # every part was kept


@pytest.mark.slow
def test_force_computes_again(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    rc("ingest")
    first = catalog.find(root, "images")
    first.part(1).write_bytes(b"damaged")
    assert rc("ingest", "--force").code == 0
    assert catalog.verify(catalog.find(root, "images")) == []


@pytest.mark.slow
def test_workers_make_the_same_artifact(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    rc("ingest", "--workers", 2, "--count", 8)
    first = catalog.find(root, "images")
    assert first.manifest.run["workers"] == 2
    assert rows_of(first).num_rows == 8


def test_help_of_a_verb_shows_options_limits_and_inputs(rc) -> None:  # type: ignore[no-untyped-def]
    text = " ".join(rc("featurize", "--help").out.split())
    assert "Pool the teacher's features over each proposed region." in text
    assert "float16 | float32" in text
    assert "--proposals" in text
    assert "teachers@… or students@…" in text
    assert "≥ 6" in text


@contextmanager
def without_privileges() -> Iterator[None]:
    """Run the block as a user without root privileges."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.slow
def test_a_read_only_store_gives_a_sentence_but_finished_artifacts(rc) -> None:  # type: ignore[no-untyped-def]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "store"
        line = rc("ingest", "--store", root).out
        rc("propose", "--store", root, "--regions", 1)
        rc("sql", "FROM proposals", "--store", root)  # later commands import nothing new
        for path in (Path(folder), *root.rglob("*"), root):
            path.chmod(0o555 if path.is_dir() else 0o444)
        with without_privileges():
            result = rc("propose", "--store", root)
            again = rc("ingest", "--store", root)
            asked = rc("sql", "SELECT count(*) AS n FROM proposals", "--store", root)
        for path in (Path(folder), root, *root.rglob("*")):
            path.chmod(0o755)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: Permission denied (")
    assert result.err.endswith(
        "Finished parts are kept: fix the problem and run the command again.\n"
    )
    assert (again.code, again.out) == (0, line)
    assert "20" in asked.out


def test_a_store_inside_a_file_is_refused(rc, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("not a folder")
    answer = rc("ingest", "--store", tmp_path / "file")
    assert answer.code == 1
    assert answer.err.startswith("error: Not a directory (") or "File exists" in answer.err
    assert "Traceback" not in answer.err
    assert sys.exc_info() == (None, None, None)


@pytest.mark.slow
def test_flags_and_environment_win_over_a_preset_and_a_preset_over_defaults(
    rc,  # type: ignore[no-untyped-def]
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    VERBS["ingest"] = VerbWithPresets("ingest", "has presets")  # the fixture restores it
    rc("ingest", "a", "--preset", "small", "--count", 20)  # 20 is the default, yet it was given
    options = catalog.find(root, "images").manifest.stage.options
    assert (options["preset"], options["count"], options["per_part"]) == ("small", 20, 2)
    assert options["seed"] == 0
    monkeypatch.setenv("RC_INGEST_PER_PART", "4")
    monkeypatch.setenv("RC_INGEST_PRESET", "small")
    rc("ingest", "a")
    options = catalog.find(root, "images").manifest.stage.options
    assert (options["preset"], options["count"], options["per_part"]) == ("small", 6, 4)


def test_a_recipe_can_set_a_preset_and_override_it(
    rc,  # type: ignore[no-untyped-def]
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    VERBS["ingest"] = VerbWithPresets("ingest", "has presets")  # the fixture restores it
    recipe = '[[step]]\nrun = "ingest"\nsources = ["a"]\npreset = "small"\nper-part = 3\n'
    (tmp_path / "r.toml").write_text(recipe)
    assert rc("run", tmp_path / "r.toml").code == 0
    options = catalog.find(root, "images").manifest.stage.options
    assert (options["count"], options["per_part"]) == (6, 3)


def test_an_unknown_preset_is_refused(rc, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    VERBS["ingest"] = VerbWithPresets("ingest", "has presets")  # the fixture restores it
    result = rc("ingest", "a", "--preset", "huge")
    assert result.code == 1
    assert "--preset must be one of small, got 'huge'" in result.err


@pytest.mark.parametrize(
    ("given", "hue"), [([], "random"), (["--hue", "random"], "random"), (["--hue", "0.5"], 0.5)]
)
def test_an_option_takes_a_number_or_a_name(
    rc,  # type: ignore[no-untyped-def]
    root: Path,
    given: list[str],
    hue: float | str,
) -> None:
    VERBS["ingest"] = VerbWithPresets("ingest", "has such an option")  # the fixture restores it
    assert rc("ingest", "a", *given).code == 0
    assert catalog.find(root, "images").manifest.stage.options["hue"] == hue


def test_neither_a_number_nor_a_name_is_refused_and_help_shows_both(rc) -> None:  # type: ignore[no-untyped-def]
    VERBS["ingest"] = VerbWithPresets("ingest", "has such an option")
    wrong = rc("ingest", "a", "--hue", "blue")
    assert (wrong.code, "'blue' is neither a number nor random" in wrong.err) == (2, True)
    assert "--hue must be above 0, got 0" in rc("ingest", "a", "--hue", "0").err
    shown = " ".join(rc("ingest", "--help").out.split())
    assert "--hue NUMBER|random of the images (a number > 0, or random)" in shown


def test_help_says_which_artifact_an_unnamed_input_is() -> None:
    assert _default_input(whole(CONCEPTS)).endswith("else the newest")
    assert _default_input(whole(CONCEPTS, optional=True)).endswith("if any")
    named = whole(CONCEPTS, optional=True, named=True)
    assert _default_input(named) == "only read if it is named here"


@pytest.mark.slow
def test_what_was_made_from_a_part_of_the_data_is_named(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    whole = rc("ingest", "here", "--count", 6)
    assert "--limit" not in whole.err
    assert rc("ingest", "here", "--count", 6, "--limit", 2).code == 0
    images = catalog.find(root, "images").address
    said = f"{images} was made with --limit 2: a part of the data"
    assert said in rc("propose").err
