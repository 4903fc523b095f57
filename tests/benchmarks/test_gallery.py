from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from benchmarks import gallery, scrolling
from tests.pipeline.gallery.browser import CHROMIUM

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.slow


def test_every_request_is_answered_and_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "SCENES", 2)
    store = str(tmp_path / "store")
    words = ["--images", "150", "--regions", "3", "--concepts", "20", "--store", store]
    assert gallery.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("150 images, 450 pseudo-labels")
    names = [line.split("  ")[0] for line in lines[2:]]
    assert names[:-3] == list(gallery.requests(150))
    assert "150 images in 3 pages" in lines[-3]

    if CHROMIUM is not None:
        assert scrolling.main([store, "--seconds", "0.3"]) == 0
        first, second = capsys.readouterr().out.splitlines()
        assert "frames: median" in first
        assert re.search(r" (120|150|180) images", second)  # 60 for each page begun
