from __future__ import annotations

import importlib
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from benchmarks.reliability.__main__ import SECTIONS, table
from benchmarks.reliability.section import Count

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.reliability.section import Section


@pytest.mark.slow
@pytest.mark.skipif(
    "RC_RELIABILITY" not in os.environ,
    reason="forks after other tests have run, which spaCy did not survive once; RC_RELIABILITY=1",
)
@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_holds_in_short(name: str, tmp_path: Path) -> None:
    section = cast("Section", importlib.import_module(f"benchmarks.reliability.{name}"))
    counts = section.trials(tmp_path, short=True)
    assert all(count.tried for count in counts.values())
    assert [failure for count in counts.values() for failure in count.failures] == []


def test_a_failed_case_is_counted_and_printed() -> None:
    count = Count()
    with count.case("first"):
        pass
    with count.case("second"):
        raise AssertionError("it differs")
    section = cast("Section", SimpleNamespace(TITLE="Kills", ABOUT="Killed."))
    text = table(section, {"label": count})
    assert "| label | 2 | 1 | 1 |" in text
    assert "* second: it differs" in text
