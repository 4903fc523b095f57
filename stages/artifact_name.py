"""Names that users give to artifacts, such as that of a selection, and type after a table's @."""

from __future__ import annotations

import re
from typing import Final

from schemas.errors import OptionError

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]*")
_HEXADECIMAL: Final = re.compile(r"[0-9a-f]*")  # could be the beginning of a fingerprint


def check_artifact_name(verb: str, name: str, what: str) -> None:
    """Pass if a name is one.

    Args:
        verb: That takes it.
        name: As given.
        what: It is of, such as "a selection".

    Raises:
        OptionError: If it is none.
    """
    if not _NAME.fullmatch(name) or _HEXADECIMAL.fullmatch(name):
        raise OptionError(
            f"rc {verb}: {name!r} is no name for {what}: take small letters, "
            f"digits, - and _, beginning with a letter, and not only letters from a to f"
        )
