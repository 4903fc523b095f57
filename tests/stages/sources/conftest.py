from __future__ import annotations

import fsspec
import pytest


@pytest.fixture
def remote() -> str:
    """The URL of a file of three bytes."""
    url = "memory://files/a.bin"
    with fsspec.open(url, "wb") as file:
        file.write(b"abc")
    return url
