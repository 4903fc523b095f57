"""Progress: a bar on a terminal, a line every few seconds elsewhere, never on standard output."""

from __future__ import annotations

import pytest

from pipeline.cli import progress_bar
from pipeline.cli.progress_bar import TerminalReporter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: now[0])
    return now


def test_a_plain_line_comes_every_few_seconds_with_rate_and_time_left(clock, capsys) -> None:  # type: ignore[no-untyped-def]
    terminal = TerminalReporter()
    terminal.start("label", 1000, "images")
    for second in range(1, 13):
        clock[0] = float(second)
        terminal.advance(10)
    terminal.stop()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "label: 60 of 1,000 images, 10.0/s, 94 s left",
        "label: 120 of 1,000 images, 10.0/s, 88 s left",
    ]


def test_an_unknown_total_tells_no_time_left(clock, capsys) -> None:  # type: ignore[no-untyped-def]
    terminal = TerminalReporter()
    terminal.start("ingest", None, "images")
    clock[0] = 1.0
    terminal.advance(2)
    clock[0] = 6.0
    terminal.advance(10)
    assert capsys.readouterr().err == "ingest: 12 images, 2.0/s\n"


def test_the_time_before_the_first_unit_is_loading_and_tells_no_rate(clock, capsys) -> None:  # type: ignore[no-untyped-def]
    terminal = TerminalReporter()
    terminal.start("propose", 100, "images")
    for second, count in ((60.0, 1), (70.0, 20)):
        clock[0] = second
        terminal.advance(count)
    assert capsys.readouterr().err.splitlines() == [
        "propose: 1 of 100 images",
        "propose: 21 of 100 images, 2.0/s, 40 s left",
    ]


def test_what_is_slow_tells_seconds_for_each(clock, capsys) -> None:  # type: ignore[no-untyped-def]
    terminal = TerminalReporter()
    terminal.start("train", 4, "steps")
    for second in (10.0, 35.0):
        clock[0] = second
        terminal.advance(1)
    assert capsys.readouterr().err.splitlines()[1] == "train: 2 of 4 steps, 25.0 s each, 50 s left"


def test_quiet_is_silent(clock, capsys) -> None:  # type: ignore[no-untyped-def]
    terminal = TerminalReporter(quiet=True)
    terminal.start("ingest", 10, "images")
    clock[0] = 60.0
    terminal.advance(10)
    terminal.say("a sentence")
    terminal.stop()
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_there_is_a_bar_with_count_and_unit(monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(progress_bar.sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    terminal = TerminalReporter()
    terminal.start("label", 10, "images")
    terminal.advance(4)
    terminal.say("something [bold]to know")
    terminal.stop()
    out, err = capsys.readouterr()
    assert out == ""
    assert "4/10" in err
    assert "images" in err
    assert "something [bold]to know" in err
