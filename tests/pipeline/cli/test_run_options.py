"""Options of every verb: the budget of refused records, quiet, debug and dry runs."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from pipeline.cli.run_options import RUN_OPTIONS, RunOptions, check_budget
from pipeline.execution.engines import RayCluster
from pipeline.store import catalog
from schemas.errors import OptionError


@pytest.mark.slow
@pytest.mark.parametrize(
    ("budget", "code"), [("0", 3), ("0.05", 3), ("1", 3), ("0.1", 0), ("2", 0), ("50", 0)]
)
def test_more_refused_records_than_the_budget_are_code_3(
    rc,  # type: ignore[no-untyped-def]
    root: Path,
    budget: str,
    code: int,
) -> None:
    answer = rc("ingest", "--refuse-every", 10, "--max-errors", budget)  # 2 of 20
    assert answer.code == code
    assert catalog.find(root, "images").manifest.rows == 18
    assert ("2 of 20 records were refused, more than --max-errors" in answer.err) == (code == 3)


def test_quiet_prints_only_the_result(rc) -> None:  # type: ignore[no-untyped-def]
    answer = rc("ingest", "--quiet", "--refuse-every", 5)
    assert answer.err == ""
    assert answer.out.count("\n") == 1


def test_debug_shows_the_part_and_the_traceback(rc, caplog: pytest.LogCaptureFixture) -> None:  # type: ignore[no-untyped-def]
    from pipeline.cli import main
    from schemas.errors import StageError

    with pytest.raises(StageError):
        main(["ingest", "--break-part", "1", "--debug"])
    assert "in trouble" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_the_options_of_every_verb_are_taken_out_of_the_values() -> None:
    values = {field.name: field.default for field in fields(RunOptions)}
    values |= {"store": Path("elsewhere"), "workers": 3, "count": 7}
    assert RunOptions.take_from(values) == RunOptions(store=Path("elsewhere"), workers=3)
    assert values == {"count": 7}


def test_every_option_has_the_default_of_its_field() -> None:
    defaults = {parameter.name: parameter.default for parameter in RUN_OPTIONS}
    assert defaults == {field.name: field.default for field in fields(RunOptions)}


@pytest.mark.parametrize(
    ("budget", "dropped", "exceeded"),
    [
        (None, 99, False),
        (0, 0, False),
        (0, 1, True),
        (1, 1, False),  # a number from 1 on, a fraction below
        (1, 2, True),
        (0.5, 100, False),
        (0.5, 101, True),
    ],
)
def test_a_budget_is_a_number_or_a_fraction_of_all_records(
    budget: float | None, dropped: int, *, exceeded: bool
) -> None:
    artifact: Any = SimpleNamespace(
        manifest=SimpleNamespace(dropped={"a": dropped, "b": 0}, rows=100)
    )
    with pytest.raises(typer.Exit) if exceeded else nullcontext() as raised:
        check_budget(artifact, budget)
    assert (raised.value.exit_code if raised else 0) == (3 if exceeded else 0)


def test_ray_is_asked_for_by_its_engine_alone() -> None:
    assert RunOptions().cluster() is None
    asked = RunOptions(engine="ray", ray_address="head:6379", gpus_per_worker=0.5)
    assert asked.cluster() == RayCluster(address="head:6379", gpus_per_worker=0.5)
    for options in ({"ray_address": "auto"}, {"cpus_per_worker": 2}, {"gpus_per_worker": 1.0}):
        with pytest.raises(OptionError, match=r"--gpus-per-worker need --engine ray"):
            RunOptions(**options).cluster()  # type: ignore[arg-type]


def test_a_single_task_has_no_engine(rc) -> None:  # type: ignore[no-untyped-def]
    assert "--engine" in rc("propose", "--help").out
    assert "--engine" not in rc("pretrain", "--help").out


def test_ray_that_is_not_installed_is_a_sentence_and_never_a_local_run(
    rc,  # type: ignore[no-untyped-def]
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "pipeline.execution.engines.ray_actors", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    by_flag = rc("ingest", "--engine", "ray")
    monkeypatch.setenv("RC_ENGINE", "ray")
    for answer in (by_flag, rc("ingest")):
        assert (answer.code, answer.out) == (1, "")
        assert answer.err.count("\n") == 1
        assert "pip install 'regionclip-toolkit[ray]'" in answer.err
    assert catalog.everything(root) == []
    assert rc("ingest", "--engine", "local").code == 0  # a flag comes before the variable
