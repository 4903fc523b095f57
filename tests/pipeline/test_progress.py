from __future__ import annotations

import inspect

import pytest

from pipeline.progress import Reporter, Silent

METHODS = [name for name, _ in inspect.getmembers(Reporter, inspect.isfunction) if name[0] != "_"]


def test_a_reporter_has_four_methods() -> None:
    assert METHODS == ["advance", "say", "start", "stop"]


@pytest.mark.parametrize("name", METHODS)
def test_the_silent_reporter_has_the_signature_of_the_interface(name: str) -> None:
    expected = inspect.signature(getattr(Reporter, name))
    assert inspect.signature(getattr(Silent, name)) == expected


def test_the_silent_reporter_writes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    reporter: Reporter = Silent()
    reporter.start("label", None, "regions")
    reporter.advance(3)
    reporter.say("one region was refused")
    reporter.stop()
    assert capfd.readouterr() == ("", "")
