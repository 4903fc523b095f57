"""A store, and the verbs with toys behind them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pipeline.verbs import VERBS
from tests.pipeline.demo_store import make_demo_store
from tests.pipeline.toys import verbs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.pipeline.demo_store import DemoStore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture(autouse=True)
def no_flushing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests survive no power cuts, and flushing is most of the time a tiny part takes."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(scope="session")
def demo_store(tmp_path_factory: pytest.TempPathFactory) -> DemoStore:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        return make_demo_store(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def toy_verbs() -> Iterator[None]:
    real, toys = dict(VERBS), verbs()
    VERBS.clear()
    VERBS.update(toys)
    yield
    VERBS.clear()
    VERBS.update(real)
