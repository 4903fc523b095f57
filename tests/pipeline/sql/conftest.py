"""One store of toys that no test of SQL changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pipeline.helpers import make_all

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    """The artifacts of the store by table: 20 images in four parts, three of them refused."""
    return make_all(tmp_path_factory.mktemp("sql") / "store")


@pytest.fixture(scope="session")
def store(artifacts: dict[str, Artifact]) -> Path:
    return artifacts["images"].root
