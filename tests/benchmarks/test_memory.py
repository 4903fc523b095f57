from __future__ import annotations

import sys

import pytest

from benchmarks import memory


@pytest.mark.slow
def test_the_peak_is_the_largest_memory_of_a_process() -> None:
    def holding(megabytes: int) -> float:
        code = f"b = bytearray({megabytes} << 20); b[::4096] = b'x' * len(b[::4096]); del b"
        return memory.peak([sys.executable, "-c", code])

    assert holding(120) - holding(20) == pytest.approx(100, abs=10)


def test_a_command_that_fails_ends_the_measurement() -> None:
    with pytest.raises(SystemExit, match="ended with code 3"):
        memory.peak([sys.executable, "-c", "raise SystemExit(3)"])


@pytest.mark.parametrize(("needed", "code"), [(140, 0), (141, 1)])
def test_growth_above_the_allowed_is_code_1(monkeypatch, capsys, needed, code) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(
        memory,
        "measure",
        lambda folder, images, arguments: dict.fromkeys(
            memory.MEASURED, 100 if images == 5 else needed
        ),
    )
    assert memory.main(["--images", "5"]) == code
    assert ("GROWS" in capsys.readouterr().out) == bool(code)
