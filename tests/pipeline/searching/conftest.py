"""Fixtures of the tests of search."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.searching import FeatureCorpus
from tests.pipeline.searching.photographs import Photographs, photographs


@pytest.fixture
def seed() -> int:
    """A new seed in every run; a failing test prints it."""
    return int(np.random.default_rng().integers(1 << 31))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    return photographs(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def photo_corpus(photos: Photographs) -> FeatureCorpus:
    """The features of the photographs."""
    return FeatureCorpus.find(photos.root)
