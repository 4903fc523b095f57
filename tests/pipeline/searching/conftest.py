"""What tests of search look at."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.searching import FeatureCorpus
from tests.pipeline.searching.photographs import Photographs, photographs


@pytest.fixture
def seed() -> int:
    """Another one every time; a test that fails shows which."""
    return int(np.random.default_rng().integers(1 << 31))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    return photographs(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def seen(photos: Photographs) -> FeatureCorpus:
    """The photographs, to be searched."""
    return FeatureCorpus.find(photos.root)
