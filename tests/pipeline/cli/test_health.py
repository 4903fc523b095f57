"""`rc doctor` and `rc config`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.cli import health
from pipeline.store.manifest import NAME
from schemas.errors import OptionError
from stages.training import precision_comparison
from stages.training.precision_comparison import PrecisionCost
from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def few_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_LIBRARIES", {"pyarrow": "pyarrow"})
    monkeypatch.setattr(health, "_device", lambda: "cpu")
    cost = PrecisionCost(float32=0.01, bfloat16=0.091)
    monkeypatch.setattr(precision_comparison, "measure_precisions", lambda: cost)


def test_a_healthy_place_is_all_ok(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(), root)
    result = rc("doctor")
    assert result.code == 0
    assert all(line.startswith("ok ") for line in result.out.splitlines())
    assert "ok   store: 1 artifacts, 0 unfinished" in result.out
    assert (
        "ok   precision: bfloat16 takes 9.1 times as long as float32 here: keep --precision float32"
    ) in result.out


def test_a_device_without_bfloat16_is_said_and_is_not_bad(rc, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def refuse() -> PrecisionCost:
        raise OptionError("an old card cannot compute in bfloat16; use --precision float32")

    monkeypatch.setattr(precision_comparison, "measure_precisions", refuse)
    result = rc("doctor")
    assert result.code == 0
    assert "ok   precision: an old card cannot compute in bfloat16; use --prec" in result.out


def test_a_library_that_does_not_import_is_bad_and_code_1(rc, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(health, "_LIBRARIES", {"no-such": "no_such_module"})
    result = rc("doctor")
    assert result.code == 1
    assert "bad  no-such not installed cannot be imported: No module named" in result.out


def test_a_library_that_breaks_is_reported_and_the_other_checks_go_on(rc, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def broken(*_: object) -> PrecisionCost:
        raise OSError("libtorch.so:\ncannot open shared object file")

    monkeypatch.setattr(precision_comparison, "measure_precisions", broken)
    monkeypatch.setattr("pipeline.store.index.best_device", broken)
    result = rc("doctor")
    assert "precision: unknown (libtorch.so: cannot open shared object file)" in result.out
    assert "search: unknown (libtorch.so: cannot" in result.out
    assert "ok   store: 0 artifacts" in result.out


def test_a_damaged_manifest_is_bad_and_code_1(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    artifact = make(Ingest(), root)
    (artifact.path / NAME).write_text("{}")
    result = rc("doctor")
    assert result.code == 1
    assert f"bad  {artifact.path / NAME} cannot be read" in result.out


def test_config_shows_values_where_they_come_from_and_what_they_decide(rc, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("RC_LABEL_TEMPERATURE", "0.5")
    lines = {line.split()[0]: line for line in rc("config", "label").out.splitlines()}
    assert "0.5" in lines["temperature"]
    assert lines["temperature"].endswith("environment RC_LABEL_TEMPERATURE; rows")
    assert lines["device"].endswith("default; speed")
