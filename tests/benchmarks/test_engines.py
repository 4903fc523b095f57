from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import engines

if TYPE_CHECKING:
    from pathlib import Path


def test_a_part_of_nothing_is_a_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert engines.seconds_of("bare", 3) > 0
    engines.plan_many(5)
    assert capsys.readouterr().out.startswith("5 parts: planned in ")


@pytest.mark.slow
def test_each_engine_is_compared_with_calling_the_tasks_bare(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engines, "seconds_of", lambda engine, parts: 2.0 + len(engine) / 4)
    engines.compare_engines(12)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "12 empty parts, 2 workers"
    assert said[1].split() == ["bare", "3.0", "s"]
    assert [line[20:].split()[2] for line in said[2:]] == ["1.00", "2.08", "1.42"]


def test_a_store_of_the_benchmark_is_left_nowhere(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(engines.tempfile, "tempdir", str(tmp_path))
    engines.seconds_of("bare", 2)
    assert list(tmp_path.iterdir()) == []
