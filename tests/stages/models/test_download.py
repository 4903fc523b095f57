"""Published weights without a network: one sentence at once, with the file to fetch."""

from __future__ import annotations

import logging
import socket
import time
from typing import TYPE_CHECKING

import pytest

from schemas.errors import SourceError
from stages.models import download
from stages.models.download import quiet, reachable, require_weights
from tests.waiting import HANG_S

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = {"hf_hub": "somebody/model/", "url": ""}
ADDRESS = "https://huggingface.co/somebody/model/resolve/main/open_clip_model.safetensors"


@pytest.fixture(autouse=True)
def nothing_fetched_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(download.huggingface_hub, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(download, "_URL_CACHE", tmp_path)
    monkeypatch.setattr(download.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(download, "getproxies", dict)


def fail_to_connect(*_: object) -> None:
    raise OSError("no route")


def test_the_file_and_the_option_are_named_if_nobody_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "create_connection", fail_to_connect)
    with pytest.raises(SourceError) as refused:
        require_weights(KNOWN, "made-up", "RN50")
    assert str(refused.value) == (
        "the weights 'made-up' are not on this machine and huggingface.co cannot be reached. Fetch "
        f"{ADDRESS} elsewhere, and give the file instead of the tag "
        "(--model RN50 --pretrained FILE)"
    )


def test_offline_by_wish_does_not_try_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("it connected"))
    with pytest.raises(SourceError, match=r"not on this machine and HF_HUB_OFFLINE is set\. Fetch"):
        require_weights(KNOWN, "made-up", "RN50")


def test_what_was_fetched_before_needs_no_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *where, **_: asked.append(where))
    (tmp_path / "RN50.pt").touch()
    require_weights({"url": "https://nowhere.test/abc/RN50.pt"}, "openai", "RN50")
    monkeypatch.setattr(
        download.huggingface_hub,
        "try_to_load_from_cache",
        lambda _, name: str(tmp_path / "RN50.pt") if name.endswith(".bin") else None,
    )
    require_weights(KNOWN, "made-up", "RN50")
    assert asked == []


def test_a_name_server_that_never_answers_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_: time.sleep(HANG_S))
    assert not reachable(ADDRESS, patience_s=0.01)


def test_a_proxy_is_asked_instead_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Connection:
        def __init__(self, place: tuple[str, int], _patience: float) -> None:
            asked.append(place)

        def close(self) -> None:
            pass

    monkeypatch.setattr(socket, "create_connection", Connection)
    assert reachable(ADDRESS)
    monkeypatch.setattr(download, "getproxies", lambda: {"https": "http://proxy.test:3128"})
    assert reachable(ADDRESS)
    assert asked == [("huggingface.co", 443), ("proxy.test", 3128)]


def test_libraries_are_quiet_inside_only(caplog: pytest.LogCaptureFixture) -> None:
    with quiet():
        logging.error("Failed to download")
    logging.error("another")
    assert [record.message for record in caplog.records] == ["another"]
