from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from schemas.errors import OptionError, SourceError
from stages.models import model_cache
from stages.models.model_cache import load_once

if TYPE_CHECKING:
    from pathlib import Path


class Reader:
    """Reads two files as one text, and counts how often it is called."""

    def __init__(self) -> None:
        self.devices: list[str] = []

    def __call__(self, config: Path, weights: Path, device: str) -> list[str]:
        self.devices.append(device)
        return [config.read_text(), weights.read_text()]


@pytest.fixture(autouse=True)
def _empty_cache():
    model_cache._read_cached.cache_clear()
    yield
    model_cache._read_cached.cache_clear()


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path]:
    config, weights = tmp_path / "model.json", tmp_path / "weights"
    config.write_text("config")
    weights.write_text("weights")
    return config, weights


def test_a_model_is_read_once_and_shared(files) -> None:
    read = Reader()
    first = load_once(read, *files, "cpu")
    assert first == ["config", "weights"]
    assert load_once(read, *files, "cpu") is first
    assert read.devices == ["cpu"]


def test_auto_shares_the_model_of_the_device_that_it_means(files, monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    read = Reader()
    assert load_once(read, *files, "auto") is load_once(read, *files, "cpu")
    assert read.devices == ["cpu"]


@pytest.mark.parametrize("changed", [0, 1])
def test_a_model_is_read_again_after_one_of_its_files_changed(files, changed) -> None:
    read = Reader()
    load_once(read, *files, "cpu")
    files[changed].write_text("longer than before")
    assert load_once(read, *files, "cpu")[changed] == "longer than before"


def test_a_file_of_equal_size_and_later_time_is_read_again(files) -> None:
    read = Reader()
    first = load_once(read, *files, "cpu")
    files[1].write_text("WEIGHTS")
    os.utime(files[1], ns=(1, files[1].stat().st_mtime_ns + 1))
    assert load_once(read, *files, "cpu") == ["config", "WEIGHTS"]
    assert first == ["config", "weights"]


def test_two_kinds_of_model_from_the_same_files_are_two_models(files) -> None:
    one, other = Reader(), Reader()
    assert load_once(one, *files, "cpu") is not load_once(other, *files, "cpu")
    assert (len(one.devices), len(other.devices)) == (1, 1)


def test_the_model_that_was_not_used_for_longest_is_dropped_after_four(tmp_path) -> None:
    pairs = []
    for number in range(5):
        paths = tmp_path / f"{number}.json", tmp_path / f"{number}.weights"
        for path in paths:
            path.write_text(str(number))
        pairs.append(paths)
    read = Reader()
    models = [load_once(read, *pair, "cpu") for pair in pairs[:4]]
    load_once(read, *pairs[0], "cpu")
    load_once(read, *pairs[4], "cpu")  # drops number 1
    assert load_once(read, *pairs[0], "cpu") is models[0]
    assert load_once(read, *pairs[1], "cpu") is not models[1]


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_file_is_named(files, missing) -> None:
    files[missing].unlink()
    with pytest.raises(SourceError) as caught:
        load_once(Reader(), *files, "cpu")
    expected = f"{files[missing]} is missing: the model cannot be loaded without it"
    assert str(caught.value) == expected


def test_an_error_of_the_reader_is_raised_each_time(files) -> None:
    calls = []

    def fail(config: Path, weights: Path, device: str) -> None:
        calls.append(device)
        raise SourceError("damaged")

    for _ in range(2):
        with pytest.raises(SourceError, match="damaged"):
            load_once(fail, *files, "cpu")
    assert len(calls) == 2


def test_an_unknown_device_is_refused_before_files_are_read(files) -> None:
    read = Reader()
    with pytest.raises(OptionError, match="--device must be"):
        load_once(read, *files, "tpu")
    assert read.devices == []
