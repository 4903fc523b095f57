"""The list of what was pushed, and what happens where it and the manifests disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.remote import additions
from pipeline.store.warning import warn

if TYPE_CHECKING:
    import pytest

    from pipeline.remote.remote import Remote

ADDRESSES = [f"images/v2-{number:012x}" for number in range(20)]


def test_additions_keep_their_order_and_are_each_there_once(remote: Remote) -> None:
    assert additions.read(remote) == []
    for address in [*ADDRESSES, ADDRESSES[3]]:
        additions.add(remote, address)
    assert additions.read(remote) == ADDRESSES


def test_an_entry_of_anything_else_is_left_out_with_a_warning(
    remote: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    warn.cache_clear()
    additions.add(remote, ADDRESSES[0])
    remote.create("additions/00000001", b"../../etc\x1b[2J\xff")
    additions.add(remote, ADDRESSES[1])
    assert additions.read(remote) == ADDRESSES[:2]
    assert f"additions/00000001 in {remote.url} names no artifact; it is left out" in caplog.text
    assert "\x1b" not in caplog.text
