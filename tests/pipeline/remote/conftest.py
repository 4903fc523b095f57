"""Remotes of both kinds: a folder, and a bucket of a server that the tests start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.remote.remote import open_remote

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.remote.remote import Remote


@pytest.fixture(params=["folder", "s3"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    if request.param == "folder":
        return open_remote(str(tmp_path / "remote"))
    return open_remote(request.getfixturevalue("bucket"))
