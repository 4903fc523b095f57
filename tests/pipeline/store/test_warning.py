from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.store.warning import warn

if TYPE_CHECKING:
    import pytest


def test_a_warning_is_said_once_however_often_the_file_is_met(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("a 100 %", "b", "a 100 %"):
        warn(f"{name} is damaged")
    assert caplog.messages == ["warning: a 100 % is damaged", "warning: b is damaged"]
