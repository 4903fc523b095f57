"""A store, and the verbs with toys behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.verbs import VERBS
from tests.pipeline.toys import verbs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def toy_verbs() -> Iterator[None]:
    real, toys = dict(VERBS), verbs()
    VERBS.clear()
    VERBS.update(toys)
    yield
    VERBS.clear()
    VERBS.update(real)
