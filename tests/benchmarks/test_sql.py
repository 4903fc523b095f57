from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import sql

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_every_query_is_answered_and_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "CONCEPTS", 20)
    store = str(tmp_path / "store")
    assert sql.main(["--millions", "0.006", "--parts", "2", "--store", store]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("6,000 pseudo-labels")
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "connect",
        *sql.QUERIES,
        "peak resident",
    ]
