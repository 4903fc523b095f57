"""How much is tried: a little and always the same, or as much as RC_FUZZ_EXAMPLES says, at random.

RC_FUZZ_EXAMPLES=20000 python -m pytest -n 0 tests/hostile
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from hypothesis import settings
from hypothesis import strategies as st

from schemas.errors import RCError

if TYPE_CHECKING:
    from collections.abc import Callable

_ASKED: Final = os.environ.get("RC_FUZZ_EXAMPLES")
FUZZ: Final = settings(
    max_examples=int(_ASKED or 15), derandomize=_ASKED is None, deadline=None, database=None
)


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """Bytes like these with some of them changed, left out at the end, or repeated."""
    places = st.integers(0, len(content))
    edits = st.lists(st.tuples(places, st.binary(max_size=4)), max_size=4)

    def edit(changes: list[tuple[int, bytes]], end: int, again: int) -> bytes:
        edited = bytearray(content)
        for place, new in changes:
            edited[place : place + len(new)] = new
        return bytes(edited[:end] if end % 4 == 0 else edited + edited[again : again + 600])

    return st.builds(edit, edits, places, places)


def read_or_refused(read: Callable[[], object]) -> bool:
    """Read; whether it worked, or the project refused it in a sentence that can be printed."""
    try:
        read()
    except RCError as error:
        return 0 < len(str(error).encode()) < 3000
    return True
