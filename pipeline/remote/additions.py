"""Which artifacts were pushed to a remote, since a remote is never listed.

`additions/00000000` names the first, `additions/00000001` the next. Each is created once, under the
first number that is free, so two that push at once never lose an entry. An entry is a hint that
comes after the manifest: where the two disagree, the manifest is right.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Final

from pipeline.remote.remote import create_once, read_whole
from pipeline.store.manifest import ADDRESS
from pipeline.store.warning import warn

if TYPE_CHECKING:
    from pipeline.remote.remote import Remote

_MOST_BYTES: Final = 1000  # of one entry: an address


def read(remote: Remote) -> list[str]:
    """Addresses of the artifacts that were pushed, each where it was first.

    Raises:
        SourceError: If the remote does not answer, or refuses.
    """
    return list(dict.fromkeys(filter(None, _entries(remote))))


def add(remote: Remote, address: str) -> None:
    """Add an artifact whose manifest is there, unless it was added before.

    Raises:
        SourceError: If the remote does not answer, or refuses.
    """
    entries = _entries(remote)
    if address in entries:
        return
    content = f"{address}\n".encode()
    for number in count(len(entries)):
        if create_once(remote, _name(number), content, _MOST_BYTES) == content:
            return


def _entries(remote: Remote) -> list[str]:
    """All entries up to the first number that is free; one that is no address is empty."""
    entries: list[str] = []
    with ThreadPoolExecutor(remote.concurrency) as pool:
        while True:
            numbers = range(len(entries), len(entries) + remote.concurrency)
            for entry in pool.map(lambda number: _read_entry(remote, number), numbers):
                if entry is None:
                    return entries
                entries.append(entry)


def _read_entry(remote: Remote, number: int) -> str | None:
    """The address in an entry; empty if there is another text, None if the number is free."""
    content = read_whole(remote, _name(number), _MOST_BYTES)
    if content is None:
        return None
    text = content.decode(errors="replace").strip()
    if re.fullmatch(ADDRESS, text):
        return text
    warn(f"{_name(number)} in {remote.url} names no artifact; it is left out")
    return ""


def _name(number: int) -> str:
    return f"additions/{number:08d}"
