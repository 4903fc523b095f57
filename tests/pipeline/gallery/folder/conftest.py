"""One folder of a gallery for all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.gallery.folder import FolderRequest, write_folder
from pipeline.progress import Silent

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def folder(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("folder") / "out"
    assert write_folder(root, out, FolderRequest(), Silent()) == 6
    return out
