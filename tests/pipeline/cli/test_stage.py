"""A stage on the command line: its flags, its one line, its exit code."""

from __future__ import annotations

import errno
import json
import os
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pipeline.cli.app import make_app
from pipeline.cli.reference import commands_page
from pipeline.store import catalog
from pipeline.verbs import VERBS, Verb
from stages.base import option
from tests.pipeline.helpers import rows_of
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stages.base import Stage


def test_the_result_is_one_line_on_standard_output(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    said = rc("ingest", "here", "--count", 7)
    address = catalog.find(root, "images").address
    assert (said.code, said.out, said.err) == (0, f"{address}  7 rows\n", "")


def test_it_is_the_same_line_when_the_artifact_is_already_there(rc) -> None:  # type: ignore[no-untyped-def]
    assert rc("ingest", "here").out == rc("ingest", "here").out


def test_json_is_one_object_on_one_line(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    said = rc("ingest", "here", "--json", "--refuse-every", 10)
    assert json.loads(said.out) == {
        "address": catalog.find(root, "images").address,
        "rows": 18,
        "dropped": {"told-to": 2},
        "notes": {"images": 18},
    }
    assert said.out.count("\n") == 1
    assert "2 refused: told-to (rc sql 'FROM quarantine')" in said.err


def test_flags_become_options_and_inputs(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    rc("ingest", "a", "b", "--count", 6, "--per-part", 2, "--seed", 5)
    first = catalog.find(root, "images")
    assert first.manifest.stage.options["seed"] == 5
    assert set(first.manifest.sources) == {"a", "b"}
    rc("ingest", "a")
    said = rc("propose", "--images", first.address, "--no-dump", "--regions", 1)
    assert said.out.endswith("  6 rows\n")
    assert catalog.find(root, "proposals").manifest.stage.options["dump"] is False


def test_the_environment_gives_an_option_and_a_flag_overrules_it(
    rc,  # type: ignore[no-untyped-def]
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RC_INGEST_PER_PART", "4")
    rc("ingest", "a")
    assert catalog.find(root, "images").numbers == [0, 1, 2, 3, 4]
    rc("ingest", "a", "--per-part", 10)
    assert catalog.find(root, "images").numbers == [0, 1]


@pytest.mark.parametrize(
    ("words", "said"),
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
def test_what_the_user_can_mend_is_one_sentence_and_code_1(rc, words: list[str], said: str) -> None:  # type: ignore[no-untyped-def]
    answer = rc(*words)
    assert answer.code == 1
    assert answer.out == ""
    assert said in answer.err
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["no-such-verb"],
        ["ingest", "--no-such-flag"],
        ["ingest", "--count", "many"],
        ["ingest", "--workers", "0"],
        ["propose", "unexpected"],
        ["db"],
    ],
)
def test_a_wrong_usage_is_code_2(rc, words: list[str]) -> None:  # type: ignore[no-untyped-def]
    answer = rc(*words)
    assert (answer.code, answer.out) == (2, "")
    assert "rc" in answer.err


@pytest.mark.parametrize(
    ("budget", "code"), [("0", 3), ("0.05", 3), ("1", 3), ("0.1", 0), ("2", 0), ("50", 0)]
)
def test_more_refusals_than_the_budget_are_code_3_and_the_artifact_is_there(
    rc,  # type: ignore[no-untyped-def]
    root: Path,
    budget: str,
    code: int,
) -> None:
    answer = rc("ingest", "--refuse-every", 10, "--max-errors", budget)  # 2 of 20
    assert answer.code == code
    assert catalog.find(root, "images").manifest.rows == 18
    assert ("2 of 20 records were refused, more than --max-errors" in answer.err) == (code == 3)


def test_a_dry_run_says_what_would_run_and_changes_nothing(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    answer = rc("ingest", "--dry-run")
    assert "  would compute 4 of 4 parts, 20 images, reading about 0 bytes" in answer.out
    assert not root.exists()
    rc("ingest", "--break-part", 2)
    assert "  would compute 1 of 4 parts, " in rc("ingest", "--dry-run").out
    rc("ingest")
    assert "  finished already: nothing would run" in rc("ingest", "--dry-run").out


def test_quiet_says_nothing_but_the_result(rc) -> None:  # type: ignore[no-untyped-def]
    answer = rc("ingest", "--quiet", "--refuse-every", 5)
    assert answer.err == ""
    assert answer.out.count("\n") == 1


def test_debug_shows_where_an_error_arose(rc, caplog: pytest.LogCaptureFixture) -> None:  # type: ignore[no-untyped-def]
    from pipeline.cli import main
    from schemas.errors import StageError

    with pytest.raises(StageError):
        main(["ingest", "--break-part", "1", "--debug"])
    assert "in trouble" in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    "where", ["pipeline.store.manifest.write", "pipeline.execution.runner._merge"]
)
def test_a_disk_that_fills_up_at_the_very_end_is_a_sentence_too(
    rc,  # type: ignore[no-untyped-def]
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")

    with monkeypatch.context() as patch:
        patch.setattr(where, full)
        said = rc("ingest")
    assert (said.code, said.out) == (1, "")
    assert said.err == (
        "error: No space left on device (somewhere). Finished parts are kept: fix the problem and "
        "run the command again.\n"
    )
    assert catalog.committed(root) == []
    assert rc("ingest", "--mark", root / "log").code == 0
    assert not (root / "log").exists()  # every part was kept


def test_force_computes_again(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    rc("ingest")
    first = catalog.find(root, "images")
    first.part(1).write_bytes(b"damaged")
    assert rc("ingest", "--force").code == 0
    assert catalog.verify(catalog.find(root, "images")) == []


def test_workers_make_the_same_artifact(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    rc("ingest", "--workers", 2, "--count", 8)
    first = catalog.find(root, "images")
    assert first.manifest.run["workers"] == 2
    assert rows_of(first).num_rows == 8


def test_help_of_a_verb_tells_options_limits_and_inputs(rc) -> None:  # type: ignore[no-untyped-def]
    text = " ".join(rc("featurize", "--help").out.split())
    assert "Pool the teacher's features over each proposed region." in text
    assert "float16 | float32" in text
    assert "--proposals" in text
    assert "teachers@… or students@…" in text
    assert "≥ 6" in text


def test_help_of_all_lists_verbs_in_the_order_data_meets_them(rc) -> None:  # type: ignore[no-untyped-def]
    said = rc("--help")
    order = ["ingest", "extract-concepts", "propose", "featurize", "label", "train", "sql", "gc"]
    places = [said.out.index(f"\n  {verb} ") for verb in order]
    assert said.code == 0
    assert places == sorted(places)


@contextmanager
def without_privileges() -> Iterator[None]:
    """Be somebody whom file permissions bind, for the block."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


def test_a_store_one_may_not_write_is_a_sentence_but_what_is_finished_is_found(rc) -> None:  # type: ignore[no-untyped-def]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "store"
        line = rc("ingest", "--store", root).out
        rc("propose", "--store", root, "--regions", 1)
        rc("sql", "FROM proposals", "--store", root)  # all that is imported is imported now
        for path in (Path(folder), *root.rglob("*"), root):
            path.chmod(0o555 if path.is_dir() else 0o444)
        with without_privileges():
            said = rc("propose", "--store", root)
            again = rc("ingest", "--store", root)
            asked = rc("sql", "SELECT count(*) AS n FROM proposals", "--store", root)
        for path in (Path(folder), root, *root.rglob("*")):
            path.chmod(0o755)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error: Permission denied (")
    assert said.err.endswith(
        "Finished parts are kept: fix the problem and run the command again.\n"
    )
    assert (again.code, again.out) == (0, line)
    assert "20" in asked.out


def test_a_place_that_cannot_be_written_is_a_sentence(rc, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("not a folder")
    answer = rc("ingest", "--store", tmp_path / "file")
    assert answer.code == 1
    assert answer.err.startswith("error: Not a directory (") or "File exists" in answer.err
    assert "Traceback" not in answer.err
    assert sys.exc_info() == (None, None, None)


def test_what_a_flag_or_the_environment_gives_wins_over_a_preset_and_that_over_defaults(
    rc,  # type: ignore[no-untyped-def]
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    VERBS["ingest"] = Prepared("ingest", "has presets")  # the fixture puts it back
    rc("ingest", "a", "--preset", "small", "--count", 20)  # 20 is the default, yet it was given
    options = catalog.find(root, "images").manifest.stage.options
    assert (options["preset"], options["count"], options["per_part"]) == ("small", 20, 2)
    assert options["seed"] == 0
    monkeypatch.setenv("RC_INGEST_PER_PART", "4")
    monkeypatch.setenv("RC_INGEST_PRESET", "small")
    rc("ingest", "a")
    options = catalog.find(root, "images").manifest.stage.options
    assert (options["preset"], options["count"], options["per_part"]) == ("small", 6, 4)


def test_a_recipe_may_name_a_preset_and_overrule_it(
    rc,  # type: ignore[no-untyped-def]
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    VERBS["ingest"] = Prepared("ingest", "has presets")  # the fixture puts it back
    recipe = '[[step]]\nrun = "ingest"\nsources = ["a"]\npreset = "small"\nper-part = 3\n'
    (tmp_path / "r.toml").write_text(recipe)
    assert rc("run", tmp_path / "r.toml").code == 0
    options = catalog.find(root, "images").manifest.stage.options
    assert (options["count"], options["per_part"]) == (6, 3)


def test_the_reference_shows_every_constant_of_a_preset(
    toy_verbs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    VERBS["ingest"] = Prepared("ingest", "has presets")  # the fixture puts it back
    page = commands_page(make_app([], load_all=True))
    assert "| what `--preset` sets | small |" in page
    assert "| `count` | `6` |" in page


def test_an_unknown_preset_is_refused(rc, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    VERBS["ingest"] = Prepared("ingest", "has presets")  # the fixture puts it back
    said = rc("ingest", "a", "--preset", "huge")
    assert said.code == 1
    assert "--preset must be one of small, got 'huge'" in said.err


@dataclass(frozen=True, kw_only=True)
class WithPresets(Ingest):
    """Invent images, few or many."""

    preset: str | None = option(None, "options at once", choices=("small",))

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"small": {"count": 6, "per_part": 2}}


@dataclass(frozen=True)
class Prepared(Verb):
    """The verb with a stage that has presets."""

    def load(self) -> type[Stage]:
        return WithPresets
